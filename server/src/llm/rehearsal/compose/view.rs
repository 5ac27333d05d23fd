//! Opinions: one side speaks. What it says depends on who it is, so that several experts on one question
//! do not say the same.

use super::{Scene, quoted};

/// What a side cares about.
struct Side {
    /// Beginnings of the words for it.
    roles: &'static [&'static str],
    /// Its strongest argument.
    argument: &'static str,
    /// What it worries about.
    worry: &'static str,
    /// What it would look at first.
    measure: &'static str,
}

const SIDES: [Side; 9] = [
    Side {
        roles: &["econom", "financ", "account", "business"],
        argument: "the cost falls once, and the gain comes back every month",
        worry: "savings in one place that turn up as costs in another",
        measure: "the cost of each finished piece of work, before and after",
    },
    Side {
        roles: &["psycholog", "sociolog", "coach", "people"],
        argument: "people carry what they could decide themselves",
        worry: "the quiet ones, who drop out of sight first",
        measure: "how often people ask one another for help",
    },
    Side {
        roles: &["law", "legal", "attorney", "judge", "compliance"],
        argument: "what is agreed in writing beforehand hardly ever ends in a dispute",
        worry: "duties that nobody has thought of until somebody asks",
        measure: "one written clause that says who answers for what",
    },
    Side {
        roles: &["secur", "privacy", "risk"],
        argument: "a rule that is simple is a rule that is kept",
        worry: "access that outlives its reason",
        measure: "how long it takes to notice a door that was left open",
    },
    Side {
        roles: &["design", "ux", "artist", "usab"],
        argument: "what can be understood at a glance needs no training",
        worry: "the exceptions, which take up most of the room",
        measure: "the place where the first five people stop and look for help",
    },
    Side {
        roles: &[
            "engineer",
            "develop",
            "program",
            "architect",
            "technic",
            "tester",
        ],
        argument: "small parts can be tested, and what is tested can be changed",
        worry: "the second version, which has to live with the first",
        measure: "how long a change takes from the idea to its use",
    },
    Side {
        roles: &["market", "sales", "journal", "customer"],
        argument: "one sentence that people repeat is worth ten that they only read",
        worry: "promises that next month has to keep",
        measure: "how many come back without being asked",
    },
    Side {
        roles: &["doctor", "medic", "health", "nurse", "biolog", "botan"],
        argument: "what prevents one case is worth more than what treats ten",
        worry: "effects that show only after months",
        measure: "one figure taken before anything begins",
    },
    Side {
        roles: &["teach", "educat", "histor", "philosoph"],
        argument: "what has been tried elsewhere can be learned from at no cost",
        worry: "lessons that everybody agrees with and nobody follows",
        measure: "what somebody new can explain after the first day",
    },
];

/// A view with its reasons.
pub fn opinion(scene: &mut Scene) -> String {
    let role = scene
        .role
        .clone()
        .unwrap_or_else(|| "practitioner".to_owned());
    let lower = role.to_lowercase();
    let known = SIDES.iter().find(|side| {
        lower
            .split_whitespace()
            .any(|word| side.roles.iter().any(|role| word.starts_with(role)))
    });
    let any = scene.dice.roll(SIDES.len());
    let Side {
        argument,
        worry,
        measure,
        ..
    } = known.unwrap_or(&SIDES[any]);
    let stance = scene.dice.pick(&[
        "in favour, with one condition",
        "for a smaller version first",
        "in favour of going on, slowly",
        "undecided, leaning towards yes",
    ]);
    let close = scene.dice.pick(&[
        "Under this condition I would begin tomorrow; without it I would wait for better data.",
        "If both hold after three months, the question has answered itself.",
    ]);
    let material = match scene.point(0) {
        Some(_) => format!(
            "What is proposed already, {}, fits in with this.",
            quoted(scene, 0)
        ),
        None => format!(
            "Much hangs on {}, so that should be settled first.",
            quoted(scene, 0)
        ),
    };
    format!(
        "# View of the {role}: {topic}\n\nSeen from my side, I am {stance}.\n\n\
         **Why.** The strongest argument is an old one: {argument}. It can be checked, it concerns those who have to live with the result, \
         and it will still be true next year. {material}\n\n\
         **Against it.** What I worry about is {worry}. That is no reason to stop; it is a reason to be able to go back.\n\n\
         **My conditions:**\n\n\
         - First, {measure}.\n\
         - Decide beforehand which result would make us stop.\n\n{close}",
        topic = scene.topic,
    )
}
