//! One name in the text of a template or an expression made another, nothing else touched.

use super::accessor;

/// Rewrites what stands between `{{` and `}}`, `{%` and `%}`; the rest stays as it is.
pub(super) fn rewrite_template(text: &str, old: &str, new: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    loop {
        let start = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")]
            .into_iter()
            .filter_map(|(open, close)| rest.find(open).map(|at| (at, open, close)))
            .min_by_key(|(at, _, _)| *at);
        let Some((at, open, close)) = start else {
            break;
        };
        let inside = at + open.len();
        let end = rest[inside..]
            .find(close)
            .map_or(rest.len(), |found| inside + found);
        out.push_str(&rest[..inside]);
        if open == "{#" {
            out.push_str(&rest[inside..end]);
        } else {
            out.push_str(&rewrite_code(&rest[inside..end], old, new));
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

pub(super) fn rewrite_code(code: &str, old: &str, new: &str) -> String {
    let mut out = String::with_capacity(code.len() + 16);
    let mut rest = code;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        if c == '"' || c == '\'' {
            let length = string_length(rest, c);
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            before = c;
            continue;
        }
        if word(c) {
            let length = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
            let (name, behind) = rest.split_at(length);
            out.push_str(name);
            rest = behind;
            if name == "nodes"
                && before != '.'
                && let Some(length) = access_length(behind, old)
            {
                out.push_str(&accessor(new));
                rest = &behind[length..];
            }
            before = 'a';
            continue;
        }
        out.push(c);
        if !c.is_whitespace() {
            before = c;
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// How much of `text`, which stands behind `nodes`, is an access to `id`: `.id` or `["id"]`.
fn access_length(text: &str, id: &str) -> Option<usize> {
    let trimmed = text.trim_start();
    let mut at = text.len() - trimmed.len();
    if let Some(behind) = trimmed.strip_prefix('.') {
        let name = behind.trim_start();
        at += 1 + behind.len() - name.len();
        let length = name.find(|c: char| !word(c)).unwrap_or(name.len());
        return (&name[..length] == id).then_some(at + length);
    }
    let behind = trimmed.strip_prefix('[')?;
    let literal = behind.trim_start();
    at += 1 + behind.len() - literal.len();
    let quote = literal.chars().next().filter(|c| *c == '"' || *c == '\'')?;
    let length = string_length(literal, quote);
    if literal.get(1..length.checked_sub(1)?)? != id {
        return None;
    }
    at += length;
    let close = literal[length..].trim_start();
    at += literal.len() - length - close.len();
    close.starts_with(']').then_some(at + 1)
}

/// Length of the string literal that `text` begins with, quotes included.
fn string_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
