//! Patterns mean here what they mean to Redis, which is asked.

use domain::topic::fits;

use super::daemon::Daemon;

/// Everything that means something in a pattern, and two letters with one between them.
const SIGNS: &[u8] = b"acb*?[]^-\\";

/// Texts of one to three signs of these, and a few topics.
const LETTERS: &[u8] = b"abc-]^[*\\";

/// Every text of at most `length` signs.
fn texts(signs: &[u8], length: usize) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = vec![vec![]];
    let mut newest = 0;
    for _ in 0..length {
        let before = all.len();
        for at in newest..before {
            for &sign in signs {
                let mut longer = all[at].clone();
                longer.push(sign);
                all.push(longer);
            }
        }
        newest = before;
    }
    all
}

#[tokio::test]
async fn patterns_mean_what_redis_means() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let mut connection = redis.connect().await;
    let mut topics: Vec<Vec<u8>> = texts(LETTERS, 3);
    topics.retain(|topic| !topic.is_empty());
    for topic in [
        "workflow.1.events",
        "agent.7.status",
        "agent.17.messages",
        "ä",
        "*.?",
    ] {
        topics.push(topic.as_bytes().to_vec());
    }
    let mut fill = redis::pipe();
    for topic in &topics {
        fill.cmd("SET").arg(topic).arg(1).ignore();
    }
    let () = fill.query_async(&mut connection).await.expect("stored");

    let mut patterns = texts(SIGNS, 3);
    // Longer ones by a fixed rule that comes everywhere: all would be a hundred million.
    for number in 0..8_000_u64 {
        let mut bits = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let length = 4 + (number % 5);
        let mut sign = || {
            bits = bits
                .rotate_left(17)
                .wrapping_mul(0xD134_2543_DE82_EF95)
                .wrapping_add(1);
            SIGNS[(bits >> 33) as usize % SIGNS.len()]
        };
        patterns.push((0..length).map(|_| sign()).collect());
    }
    for pattern in [
        "workflow.*",
        "*.events",
        "agent.?.status",
        "agent.[0-9]*.status",
        "[^a]*",
        "?",
        "\\*.\\?",
    ] {
        patterns.push(pattern.as_bytes().to_vec());
    }
    let mut different = Vec::new();
    for some in patterns.chunks(500) {
        let mut ask = redis::pipe();
        for pattern in some {
            ask.cmd("KEYS").arg(pattern);
        }
        let answers: Vec<std::collections::HashSet<Vec<u8>>> =
            ask.query_async(&mut connection).await.expect("keys");
        for (pattern, keys) in some.iter().zip(answers) {
            // Patterns and topics are text here.
            let (Ok(written), fitting) = (std::str::from_utf8(pattern), keys) else {
                continue;
            };
            for topic in &topics {
                let text = std::str::from_utf8(topic).expect("text");
                if fits(written, text) != fitting.contains(topic) {
                    different.push(format!("{written} and {text}"));
                }
            }
        }
    }
    different.truncate(20);
    assert_eq!(different, Vec::<String>::new());
}
