//! Three workflows that a newcomer finds, each worth having. Stored once, when the database is new;
//! deleted ones stay deleted.

use domain::graph::{Drawing, layout::place_missing};

/// The samples as workflow files, in the order in which lists show them.
const FILES: [(&str, &str); 3] = [
    (
        "research-write-review",
        include_str!("samples/research-write-review.json"),
    ),
    ("three-experts", include_str!("samples/three-experts.json")),
    ("code-change", include_str!("samples/code-change.json")),
];

/// The samples, placed on the canvas.
pub fn drawings() -> Vec<Drawing> {
    FILES
        .iter()
        .filter_map(|(name, text)| match Drawing::parse(text) {
            Ok((mut drawing, _)) => {
                place_missing(&mut drawing);
                Some(drawing)
            }
            Err(problem) => {
                tracing::error!(name, problem = problem.message, "a sample cannot be read");
                None
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use domain::graph::check::check;

    use super::*;

    #[test]
    fn every_sample_can_run_without_a_warning() {
        let drawings = drawings();
        assert_eq!(drawings.len(), FILES.len());
        for drawing in drawings {
            let (graph, problems) = check(&drawing);
            assert!(
                graph.is_some() && problems.is_empty(),
                "{}: {problems:?}",
                drawing.name
            );
        }
    }
}
