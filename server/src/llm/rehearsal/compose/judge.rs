//! Texts about texts: reviews, decisions, and the better version that follows a review.

use super::{Scene, quoted};
use crate::llm::rehearsal::verdict::{Verdict, judges};

/// The word that the verdict falls on.
pub fn word(scene: &mut Scene, verdict: &Verdict) -> String {
    let is_judgement =
        verdict.choices().any(|choice| judges(choice).is_some()) || verdict.others.is_empty();
    if is_judgement {
        let given = if scene.favourable {
            &verdict.favourable
        } else {
            &verdict.unfavourable
        };
        return given.clone();
    }
    // A choice between names: the one that the material speaks of, else any.
    let choices: Vec<&str> = verdict.choices().map(String::as_str).collect();
    let spoken_of = choices.iter().find(|choice| {
        let choice = choice.to_lowercase();
        scene.topic.to_lowercase().contains(&choice)
            || scene
                .points
                .iter()
                .any(|point| point.to_lowercase().contains(&choice))
    });
    spoken_of
        .copied()
        .unwrap_or_else(|| scene.dice.pick(&choices))
        .to_owned()
}

/// A review: finds fault with a first version and lets a second one through.
pub fn review(scene: &mut Scene) -> String {
    if scene.favourable {
        praise(scene)
    } else {
        find_fault(scene)
    }
}

fn find_fault(scene: &mut Scene) -> String {
    let opening = scene.dice.pick(&[
        "It has a clear line and can be followed at first reading. Two places keep it from being finished.",
        "A solid beginning: the order makes sense and nothing is superfluous. It is not there yet, for two reasons.",
        "I read it twice. The first half carries, the second half leans on it; two things are needed before it goes out.",
    ]);
    if scene.code.is_some() {
        return find_fault_in_code(scene);
    }
    let first = scene.dice.pick(&[
        "claims more than it shows. Add one concrete example or a number, so that the reader can check it",
        "stays general. Say who does it, when, and how one can tell that it worked",
    ]);
    let second = scene.dice.pick(&[
        "comes too late and too short. Move it forward and give it two sentences of its own",
        "leaves the reader alone with the consequence. Say plainly what follows from it",
    ]);
    format!(
        "# Review: {topic}\n\n{opening}\n\n\
         ## What works\n\n\
         - {kept} is to the point and should stay as it is.\n\
         - The length is right; nobody has to search for the main thought.\n\n\
         ## What is missing\n\n\
         1. The place about {one} {first}.\n\
         2. The place about {two} {second}.\n\n\
         Both points are small and can be mended without touching the structure. Everything else may stay.",
        topic = scene.topic,
        kept = super::capital(&quoted(scene, 0)),
        one = quoted(scene, 1),
        two = quoted(scene, 2),
    )
}

fn find_fault_in_code(scene: &mut Scene) -> String {
    let praise = scene.dice.pick(&[
        "The names say what is returned, and there is no state to trip over.",
        "It is short, it is tested, and the interface could hardly be smaller.",
    ]);
    format!(
        "# Review: {topic}\n\n{praise} Two things are missing before it can go out.\n\n\
         ## What works\n\n\
         - One pass over the input, and nothing is read from outside.\n\
         - {kept}: that is covered.\n\n\
         ## What is missing\n\n\
         1. Input that makes no sense is taken silently. It should be refused with an error that names it.\n\
         2. There is no test for that refusal; {two} is not covered either.\n\n\
         Both can be mended without touching the interface. After that I would look at it once more, with a case taken from real data \
         and one that is larger than anything expected.",
        topic = scene.topic,
        kept = super::capital(&quoted(scene, 0)),
        two = quoted(scene, 1),
    )
}

fn praise(scene: &mut Scene) -> String {
    let opening = scene.dice.pick(&[
        "The points from the last round are dealt with, and it is better for it.",
        "I read it once more from the start. What was missing is there now.",
    ]);
    format!(
        "# Review: {topic}\n\n{opening}\n\n\
         ## What works\n\n\
         - {first} now carries the example it needed.\n\
         - {second} has found its place, and the consequence is spelled out.\n\
         - The tone is even from beginning to end.\n\n\
         ## What could still be done\n\n\
         Nothing that has to be done now. In a later version the closing sentence might be shorter, and one more example \
         would help readers who come from another field.\n\n\
         It does what it set out to do. It can go on to the next step as it is.",
        topic = scene.topic,
        first = super::capital(&quoted(scene, 0)),
        second = super::capital(&quoted(scene, 1)),
    )
}

/// A decision with its reasons.
pub fn decide(scene: &mut Scene) -> String {
    let (outcome, advice) = if scene.favourable {
        (
            "The arguments in favour weigh more.",
            "Go on with the next step, and look back after the first results.",
        )
    } else {
        (
            "The open points weigh more for now.",
            "Mend the two places that were named, then put the question again.",
        )
    };
    let care = scene.dice.pick(&[
        "the people who use it",
        "the time that is left",
        "what cannot be undone",
    ]);
    format!(
        "# Decision: {topic}\n\n{outcome}\n\n\
         ## Reasons\n\n\
         1. {first} is the argument that carries most, because it can be checked.\n\
         2. {second} points the same way, though less strongly.\n\
         3. Against it stands {third}; it was taken into account and changes the order, not the result.\n\n\
         ## What was weighed\n\n\
         I gave most weight to {care}, then to the effort, and least to taste. Where two arguments were equal, the one that \
         leaves more doors open was preferred.\n\n{advice}",
        topic = scene.topic,
        first = super::capital(&quoted(scene, 0)),
        second = super::capital(&quoted(scene, 1)),
        third = quoted(scene, 2),
    )
}

/// The better version. Its heading says so, which is what the next review looks for.
pub fn revise(scene: &mut Scene) -> String {
    let example = scene.dice.pick(&[
        "In a trial with twelve readers, ten could repeat the main thought a day later.",
        "One team did exactly this on a Tuesday morning and had a usable result before lunch.",
        "A small test with five people took half an hour and answered the question.",
    ]);
    format!(
        "# Revised: {topic}\n\n\
         The heart of the matter is {first}. {example} That is the example which the first version lacked.\n\n\
         What follows from it now stands at the beginning: {second} comes first, because everything after it depends on it. \
         Whoever reads only this paragraph knows what to do, and whoever reads on learns why.\n\n\
         ## What follows\n\n\
         - Begin with one case and finish it.\n\
         - Show the result to somebody who was not part of the work.\n\
         - Then decide about {third}.\n\n\
         ## What changed\n\n\
         1. The general claim is backed by an example.\n\
         2. The consequence moved forward and got two sentences of its own.",
        topic = scene.topic,
        first = quoted(scene, 0),
        second = quoted(scene, 1),
        third = quoted(scene, 2),
    )
}
