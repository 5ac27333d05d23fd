//! Writes the answers: Markdown with a heading that ends with the topic, short paragraphs, lists, pieces of
//! the material in quotes, 80 to 220 words. The words of a verdict that was not given never appear, so
//! that a workflow may branch on whether a word is in the text.

mod code;
mod judge;
mod view;

use super::{intent::Intent, scene::Scene, verdict::Verdict};

/// The answer to `scene`.
pub fn text(scene: &mut Scene) -> String {
    let verdict = scene.verdict.clone();
    let given = verdict.as_ref().map(|verdict| judge::word(scene, verdict));
    if let (Some(verdict), Some(word)) = (&verdict, &given)
        && verdict.bare
    {
        return verdict.line(word);
    }
    let body = match scene.intent {
        Intent::Plan => plan(scene),
        Intent::Research => research(scene),
        Intent::Draft => draft(scene),
        Intent::Review => judge::review(scene),
        Intent::Revise if scene.code.is_some() => code::revise(scene),
        Intent::Revise => judge::revise(scene),
        Intent::Summarise => summary(scene),
        Intent::Code => code::write(scene),
        Intent::Decide => judge::decide(scene),
        Intent::Translate => translation(scene),
        Intent::List if scene.wants_tests => code::tests(scene),
        Intent::List => list(scene),
        Intent::Opinion => view::opinion(scene),
        Intent::Answer => answer(scene),
    };
    match (verdict, given) {
        (Some(verdict), Some(word)) => with_verdict(&body, &verdict, &word),
        (Some(_) | None, _) => body,
    }
}

/// One line for an agent's scratchpad.
pub fn note(scene: &Scene) -> String {
    match scene.point(0) {
        Some(point) => format!("{}: remember “{point}”.", scene.topic),
        None => format!("{}: keep the goal in sight, then the details.", scene.topic),
    }
}

/// One sentence about the topic, for fields of a structured answer.
pub fn sentence(scene: &mut Scene) -> String {
    let topic = scene.topic.clone();
    match scene.points.len() {
        0 => {
            let endings = [
                "starts with a clear goal",
                "needs one owner and one date",
                "gains most from a small first step",
                "stands or falls with good examples",
            ];
            format!("{topic}: it {}.", scene.dice.pick(&endings))
        }
        points => {
            let place = scene.dice.roll(points);
            format!("{topic}: {}.", scene.points[place])
        }
    }
}

fn with_verdict(body: &str, verdict: &Verdict, word: &str) -> String {
    let is_other = |text: &str| {
        verdict
            .choices()
            .any(|choice| choice != word && choice.eq_ignore_ascii_case(text))
    };
    let is_clean = |line: &&str| {
        !line
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(is_other)
    };
    let mut lines = body.lines();
    let heading = lines.next().filter(is_clean).unwrap_or("# Verdict");
    let rest: Vec<&str> = lines.filter(is_clean).collect();
    let (rest, line) = (rest.join("\n"), verdict.line(word));
    let rest = rest.trim_end();
    if verdict.first {
        format!("{line}\n\n{heading}\n{rest}")
    } else {
        format!("{heading}\n{rest}\n\n{line}")
    }
}

/// What can be said of anything, where neither material nor topic say something.
const COMMON_POINTS: [&str; 6] = [
    "who it is for and what they need first",
    "what is known already and what is only assumed",
    "the smallest version that is worth having",
    "the one thing that could go wrong",
    "what it costs in time and attention",
    "how to tell that it is finished",
];

/// The point at `place` in quotes, or something about a word of the topic.
fn quoted(scene: &Scene, place: usize) -> String {
    if let Some(point) = scene.point(place) {
        return format!("“{point}”");
    }
    let common = COMMON_POINTS[place % COMMON_POINTS.len()];
    let Some(word) = scene.keywords.get(place % scene.keywords.len().max(1)) else {
        return common.to_owned();
    };
    match place % 4 {
        0 => format!("what exactly is meant by “{word}”"),
        1 => format!("what would be different without “{word}”"),
        2 => common.to_owned(),
        _ => format!("who notices “{word}” first, and why"),
    }
}

fn plan(scene: &mut Scene) -> String {
    let opening = scene.dice.pick(&[
        "Five steps lead there. Each one ends with something that can be shown, so that nobody has to guess how far the work is.",
        "The work falls into five steps. They are small on purpose: each can be done, looked at and corrected by itself.",
        "The shortest way there has five steps. The first two decide most of the quality, the last one keeps it.",
    ]);
    let last = scene.dice.pick(&[
        "Done when somebody who was not part of the work can use the result without asking.",
        "Done when every step has left a result behind and the last one has been read once more from the start.",
    ]);
    format!(
        "# Plan: {topic}\n\n{opening}\n\n\
         1. **Set the goal.** Write down in one sentence what has to be achieved, and for whom.\n\
         2. **Collect what is known.** Three to five facts are enough; note where each of them comes from. Look at {first}.\n\
         3. **Make a first version.** Rough, complete, and short enough to be read in one go. Mind {second}.\n\
         4. **Let somebody else look.** Ask for the two weakest places, not for praise.\n\
         5. **Finish it.** Mend those places, read it aloud once, and hand it over.\n\n\
         **Risk:** the scope grows on the way. Keep {third} in view and put everything else on a list for later.\n\n{last}",
        topic = scene.topic,
        first = quoted(scene, 0),
        second = quoted(scene, 1),
        third = quoted(scene, 2),
    )
}

fn research(scene: &mut Scene) -> String {
    let side = scene.dice.pick(&[
        "practice",
        "its history",
        "the numbers",
        "everyday use",
        "the exceptions",
    ]);
    let trust = scene.dice.pick(&["high", "medium", "medium to high"]);
    let known = scene.dice.deal(
        &[
            "There is more than one way to see it; the simple one covers about four cases in five.",
            "Good examples are short, concrete and come with one counter-example.",
            "What looks like one question is two: how it came about, and why it stays that way.",
            "The numbers matter less than their order of magnitude; being wrong by half changes nothing.",
            "Most explanations start too late and leave out the step that makes the rest plain.",
            "The oldest explanation is not wrong, only incomplete.",
        ],
        2,
    );
    let mistake = scene.dice.pick(&[
        "Readers usually begin with the details and lose the thread",
        "The usual mistake is to take the rare case for the rule",
        "Most people mix up the cause and the occasion",
    ]);
    format!(
        "# Findings: {topic}\n\n\
         I looked at the question from the side of {side} first and kept only what bears on the task.\n\n\
         ## What stands out\n\n\
         - The starting point is {first}. Most of the other questions follow from it.\n\
         - {one}\n- {two}\n\
         - {mistake}. Those who settle {second} early need fewer rounds.\n\n\
         ## What is open\n\n\
         - How much weight {third} should get.\n\
         - Whether the result has to last or only has to work once.\n\n\
         **Confidence:** {trust}. The points above agree with one another; the open ones need a decision rather than more reading.",
        topic = scene.topic,
        one = known.first().copied().unwrap_or_default(),
        two = known.get(1).copied().unwrap_or_default(),
        first = quoted(scene, 0),
        second = quoted(scene, 1),
        third = quoted(scene, 2),
    )
}

fn draft(scene: &mut Scene) -> String {
    let opening = scene.dice.pick(&[
        "Everybody has met it, and few have looked at it twice.",
        "It begins with something small that is easy to overlook.",
        "There is a simple way to see it, and it starts with a question.",
    ]);
    let middle = scene.dice.pick(&[
        "What looks like a detail decides how the whole thing feels",
        "The difference lies less in the effort than in the order of the steps",
        "Those who try it once notice how much depends on the first minutes",
    ]);
    let close = scene.dice.pick(&[
        "In the end little is needed: a clear beginning, one good example, and the courage to leave things out.",
        "What remains is a thought to take along: start small, look closely, and go on from what you see.",
    ]);
    format!(
        "# Draft: {topic}\n\n{opening} What follows is told for somebody who hears of it for the first time.\n\n\
         The heart of the matter is {first}. {middle}, and that is why it is worth a second look. An example makes it plain: \
         two people begin on the same morning, one with a list, one with a question. By noon the one with the question has the better list.\n\n\
         ## What follows from it\n\n\
         - Begin with {second}.\n\
         - Give {third} a place of its own.\n\
         - Leave out what nobody would miss.\n\n{close}",
        topic = scene.topic,
        first = quoted(scene, 0),
        second = quoted(scene, 1),
        third = quoted(scene, 2),
    )
}

fn summary(scene: &mut Scene) -> String {
    let opening = scene.dice.pick(&[
        "The texts agree on the main line and differ in the details.",
        "Read together, the contributions give one clear picture with two open corners.",
    ]);
    format!(
        "# Summary: {topic}\n\n{opening} In one sentence: it works best when the goal is plain, the first step is small and somebody looks at the result early.\n\n\
         ## Main points\n\n\
         1. {first}\n2. {second}\n3. {third}\n4. {fourth}\n\n\
         ## Where they differ\n\n\
         One side wants to be thorough before it starts, the other wants to start in order to learn. Both can be had: \
         decide what cannot be undone first, and try out the rest.\n\n\
         **Next step:** take the first point, give it an owner, and come back to the others with what was learned.",
        topic = scene.topic,
        first = capital(&quoted(scene, 0)),
        second = capital(&quoted(scene, 1)),
        third = capital(&quoted(scene, 2)),
        fourth = capital(&quoted(scene, 3)),
    )
}

fn list(scene: &mut Scene) -> String {
    let favourite = scene.dice.pick(&["third", "first", "fifth"]);
    format!(
        "# Ideas: {topic}\n\nSeven ideas, from the quickest to the boldest. Each can be tried alone.\n\n\
         1. **One page.** Say what matters on a single page and show it to three people.\n\
         2. **The first five minutes.** Design only the beginning, and make it excellent.\n\
         3. **Turn it round.** Ask what would make it worse, then do the opposite.\n\
         4. **Borrow.** Take a pattern that works elsewhere and fit it to {first}.\n\
         5. **Half of it.** Remove every second part and see what is missed.\n\
         6. **In public.** Let people watch while it is made, and collect their questions.\n\
         7. **A week of it.** Do a little every day for a week, with {second} as the measure.\n\n\
         My favourite is the {favourite}: it costs least and teaches most.",
        topic = scene.topic,
        first = quoted(scene, 0),
        second = quoted(scene, 1),
    )
}

fn translation(scene: &mut Scene) -> String {
    format!(
        "# Translation: {topic}\n\nThe text keeps its order and its tone; sentences that carry two thoughts were divided. The key sentences, in the order in which they appear:\n\n\
         1. {first}\n2. {second}\n3. {third}\n4. {fourth}\n\n\
         ## Choices that were made\n\n\
         - Names, numbers and headings stay as they are.\n\
         - Idioms are rendered by their meaning and not word by word.\n\
         - Where the source addresses the reader, the polite form is used throughout.\n\n\
         Two places allow another reading; both are marked with a question in the margin, so that somebody who knows the subject can settle them quickly.",
        topic = scene.topic,
        first = capital(&quoted(scene, 0)),
        second = capital(&quoted(scene, 1)),
        third = capital(&quoted(scene, 2)),
        fourth = capital(&quoted(scene, 3)),
    )
}

fn answer(scene: &mut Scene) -> String {
    let opening = scene.dice.pick(&[
        "The short answer first: begin with the part that everything else depends on.",
        "In short: yes, it can be done, and the simple way is the right one to start with.",
        "Three things matter here; the rest follows from them.",
    ]);
    format!(
        "# Answer: {topic}\n\n{opening}\n\n\
         - **What it is about:** {first}. Keep this in one sentence, and the remaining questions get smaller.\n\
         - **What to do:** take one concrete case from beginning to end before thinking about all of them. It shows within an hour where the difficulty really lies.\n\
         - **What to watch:** {second}. It looks harmless at the start and is expensive to change later.\n\n\
         If there is time for only one of these, take the second. A finished small case convinces more people than a complete idea, \
         and it answers most of the questions that nobody thought of asking.",
        topic = scene.topic,
        first = quoted(scene, 0),
        second = quoted(scene, 1),
    )
}

/// `text` with a capital at its beginning.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
