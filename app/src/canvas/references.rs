//! Where steps name each other in their templates and conditions, and how such a name is changed.
//!
//! Nothing is guessed: after a change the text is read again, and unless it then names exactly what
//! it named before (with the new name), the change is refused.

mod rewrite;

use std::collections::BTreeSet;

use domain::{
    expression::{ExpressionError, Names},
    graph::{Drawing, DrawnNode, Form, Source},
    kind::KeyType,
};
use serde_json::{Map, Value};

use self::rewrite::{rewrite_code, rewrite_template};
use super::document::body_value;

/// How a key's text is to be read, where it is all one text.
fn form_of(holds: KeyType) -> Option<Form> {
    match holds {
        KeyType::Template => Some(Form::Template),
        KeyType::Expression => Some(Form::Expression),
        KeyType::Line
        | KeyType::Text
        | KeyType::Integer { .. }
        | KeyType::Number { .. }
        | KeyType::Flag
        | KeyType::FlagOn
        | KeyType::Choice(_)
        | KeyType::Words
        | KeyType::Models
        | KeyType::Model
        | KeyType::AgentName
        | KeyType::Schema
        | KeyType::Preferences
        | KeyType::Cases
        | KeyType::Body
        | KeyType::Fields
        | KeyType::Workflow
        | KeyType::Retry => None,
    }
}

/// The keys of `node` in which `old` becomes `new`: all of it, or the reason why not.
pub fn rename(node: &DrawnNode, old: &str, new: &str) -> Result<Option<DrawnNode>, String> {
    let Some(kind) = node.known_kind() else {
        return Ok(None);
    };
    let mut changed: Option<DrawnNode> = None;
    for spec in kind.own_keys().iter().chain(kind.common_keys()) {
        let Some(value) = node.keys.get(spec.name) else {
            continue;
        };
        let refused = || {
            format!(
                "“{}” of {} names {old} in a way that cannot be changed safely. Change it there first.",
                spec.label, node.id
            )
        };
        let next = match form_of(spec.holds) {
            Some(form) => rename_value(value, form, old, new),
            None if spec.holds == KeyType::Cases => rename_cases(value, old, new),
            None if spec.holds == KeyType::Fields => rename_fields(value, old, new),
            None if spec.holds == KeyType::Body => rename_body(value, old, new),
            None => Ok(None),
        };
        if let Some(next) = next.map_err(|()| refused())? {
            changed
                .get_or_insert_with(|| node.clone())
                .keys
                .insert(spec.name.to_owned(), next);
        }
    }
    Ok(changed)
}

/// Nodes whose outputs `node` reads, as far as its texts can be read.
pub fn nodes_named_by(node: &DrawnNode) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let Some(kind) = node.known_kind() else {
        return found;
    };
    for spec in kind.own_keys() {
        let Some(value) = node.keys.get(spec.name) else {
            continue;
        };
        match form_of(spec.holds) {
            Some(form) => found.extend(read_by(value, form)),
            None if spec.holds == KeyType::Cases => {
                let cases = value.as_array().into_iter().flatten();
                cases
                    .filter_map(|case| case.get("when"))
                    .for_each(|when| found.extend(read_by(when, Form::Expression)));
            }
            None if spec.holds == KeyType::Fields => {
                let fields = value.as_object().into_iter().flatten();
                fields.for_each(|(_, value)| found.extend(read_by(value, Form::Template)));
            }
            None if spec.holds == KeyType::Body => found.extend(nodes_around(value)),
            None => {}
        }
    }
    found
}

/// Nodes that one text reads; none where it is no text or cannot be read.
fn read_by(value: &Value, form: Form) -> BTreeSet<String> {
    match value.as_str().map(|text| names(text, form)) {
        Some(Ok(names)) => names.nodes,
        Some(Err(_)) | None => BTreeSet::new(),
    }
}

/// How an expression reads the output of a node.
pub fn output_of(id: &str) -> String {
    format!("nodes{}.output", accessor(id))
}

fn accessor(id: &str) -> String {
    let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !id.starts_with(|c: char| c.is_ascii_digit());
    if plain {
        format!(".{id}")
    } else {
        format!("[\"{id}\"]")
    }
}

fn rename_value(value: &Value, form: Form, old: &str, new: &str) -> Result<Option<Value>, ()> {
    match value.as_str() {
        Some(text) => Ok(rename_text(text, form, old, new)?.map(Value::String)),
        None => Ok(None),
    }
}

fn rename_cases(value: &Value, old: &str, new: &str) -> Result<Option<Value>, ()> {
    let mut next = value.clone();
    let mut changed = false;
    for case in next.as_array_mut().into_iter().flatten() {
        let Some(when) = case.get_mut("when") else {
            continue;
        };
        if let Some(text) = rename_value(when, Form::Expression, old, new)? {
            *when = text;
            changed = true;
        }
    }
    Ok(changed.then_some(next))
}

fn rename_fields(value: &Value, old: &str, new: &str) -> Result<Option<Value>, ()> {
    let mut next = value.clone();
    let mut changed = false;
    for field in next.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Some(text) = rename_value(field, Form::Template, old, new)? {
            *field = text;
            changed = true;
        }
    }
    Ok(changed.then_some(next))
}

/// A body sees the steps around it, but for those whose name one of its own has.
fn rename_body(value: &Value, old: &str, new: &str) -> Result<Option<Value>, ()> {
    let Ok((mut body, _)) = Drawing::body(value) else {
        return Ok(None);
    };
    if body.node(old).is_some() {
        return Ok(None);
    }
    let hides = body.node(new).is_some();
    let mut changed = false;
    for node in &mut body.nodes {
        if let Some(renamed) = rename(node, old, new).map_err(|_| ())? {
            // The new name would mean another step in there.
            if hides {
                return Err(());
            }
            *node = renamed;
            changed = true;
        }
    }
    Ok(changed.then(|| body_value(&body)))
}

/// Nodes around a body that it reads.
fn nodes_around(value: &Value) -> BTreeSet<String> {
    let Ok((body, _)) = Drawing::body(value) else {
        return BTreeSet::new();
    };
    let named = body.nodes.iter().flat_map(nodes_named_by);
    named.filter(|id| body.node(id).is_none()).collect()
}

fn rename_text(text: &str, form: Form, old: &str, new: &str) -> Result<Option<String>, ()> {
    if !text.contains(old) {
        return Ok(None);
    }
    // What cannot be read, or reads nodes by a computed name, may mean `old` anywhere.
    let before = names(text, form).map_err(|_| ())?;
    if before.all_nodes {
        return Err(());
    }
    if !before.nodes.contains(old) {
        return Ok(None);
    }
    let next = match form {
        Form::Template => rewrite_template(text, old, new),
        Form::Expression => rewrite_code(text, old, new),
    };
    let mut expected = before.clone();
    expected.nodes.remove(old);
    expected.nodes.insert(new.to_owned());
    match names(&next, form) {
        Ok(after) if after == expected => Ok(Some(next)),
        Ok(_) | Err(_) => Err(()),
    }
}

fn names(text: &str, form: Form) -> Result<Names, ExpressionError> {
    let source = match form {
        Form::Template => Source::template(text),
        Form::Expression => Source::expression(text),
    };
    source.map(|source| Names::clone(&source.names))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(text: &str) -> String {
        rewrite_template(text, "plan", "draft")
    }

    #[test]
    fn names_are_changed_inside_braces_alone() {
        assert_eq!(
            template("nodes.plan: {{ nodes.plan.output }} {{nodes['plan'].output|upper}}"),
            "nodes.plan: {{ nodes.draft.output }} {{nodes.draft.output|upper}}"
        );
        assert_eq!(
            template("{% if nodes.plan.output %}a{% endif %}{# nodes.plan #}"),
            "{% if nodes.draft.output %}a{% endif %}{# nodes.plan #}"
        );
    }

    #[test]
    fn what_only_looks_like_it_stays() {
        for text in [
            "{{ nodes.planner.output }}",
            "{{ input.nodes.plan }}",
            "{{ 'nodes.plan' }}",
            "{{ other_nodes.plan }}",
            "{{ nodes[plan] }}",
        ] {
            assert_eq!(template(text), text);
        }
    }

    #[test]
    fn a_name_that_is_no_word_is_written_in_brackets() {
        assert_eq!(
            rewrite_code("nodes.plan.output", "plan", "a-b"),
            "nodes[\"a-b\"].output"
        );
        assert_eq!(
            rewrite_code("nodes[ \"a-b\" ].output", "a-b", "plan"),
            "nodes.plan.output"
        );
        assert_eq!(output_of("2nd"), "nodes[\"2nd\"].output");
    }

    #[test]
    fn broken_code_does_not_break_the_rewriting() {
        for text in [
            "{{ nodes.plan",
            "{{ nodes['plan }}",
            "{{ '\\' }}",
            "{{ nodes[",
            "{{",
            "é{{ nodes.é }}",
        ] {
            let _ = template(text);
        }
    }

    #[test]
    fn a_node_is_changed_in_every_key_that_names_the_other() {
        let node = DrawnNode {
            id: "good".into(),
            kind: "branch".into(),
            keys: json!({
                "condition": "'TODO' in nodes.plan.output",
                "cases": [{"port": "a", "when": "nodes.plan.output == 1"}, {"port": "b", "when": "true"}],
            })
            .as_object()
            .cloned()
            .unwrap_or_default(),
        };
        let changed = rename(&node, "plan", "draft")
            .expect("safe")
            .expect("changed");
        assert_eq!(changed.keys["condition"], "'TODO' in nodes.draft.output");
        assert_eq!(changed.keys["cases"][0]["when"], "nodes.draft.output == 1");
        assert_eq!(rename(&node, "nothing", "draft"), Ok(None));
    }

    #[test]
    fn computed_names_are_refused() {
        let node = DrawnNode {
            id: "b".into(),
            kind: "transform".into(),
            keys: json!({"template": "{{ nodes['pl' ~ 'an'].output }} plan"})
                .as_object()
                .cloned()
                .unwrap_or_default(),
        };
        let reason = rename(&node, "plan", "draft").expect_err("refused");
        assert!(
            reason.contains("Template") && reason.contains('b'),
            "{reason}"
        );
    }
}
