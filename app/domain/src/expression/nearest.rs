//! The name that was probably meant.

/// The candidate nearest to `name`, where one is near enough to be a slip of the hand; of equally
/// near ones the first.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let name: Vec<char> = name.chars().take(64).collect();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.chars().take(64).collect();
        let reach = best.map_or_else(|| 1 + name.len().max(letters.len()) / 4, |(far, _)| far - 1);
        if name.len().abs_diff(letters.len()) > reach {
            continue;
        }
        let distance = distance(&name, &letters);
        if distance == 0 {
            return Some(candidate);
        }
        if distance <= reach && distance < name.len() {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Insertions, deletions and replacements between two words.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let cost = if from.eq_ignore_ascii_case(to) {
                diagonal
            } else {
                diagonal + 1
            };
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_recognized_and_a_stranger_is_not() {
        let known = ["plan", "build", "review", "my-node"];
        for (written, meant) in [
            ("plna", Some("plan")),
            ("Plan", Some("plan")),
            ("reviews", Some("review")),
            ("my_node", Some("my-node")),
            ("deploy", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
    }
}
