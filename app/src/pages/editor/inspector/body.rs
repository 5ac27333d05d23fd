//! The steps inside of a map or loop: a press opens them on the canvas; as JSON they can be read and
//! written too.

use domain::{graph::Drawing, kind::KeyType};
use leptos::prelude::*;
use serde_json::Value;

use super::field::TextField;
use crate::{
    components::{Button, Glyph},
    pages::editor::state::{Editor, Levels},
    words,
};

/// Steps of a body, by what people call them; the reason where it is no graph.
fn steps(value: Option<&Value>) -> Result<Vec<String>, String> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let (body, _) = Drawing::body(value).map_err(|problem| problem.message)?;
    let steps = body.nodes.iter().map(|node| node.title().to_owned());
    Ok(steps.collect())
}

/// The steps inside of a map or loop.
#[component]
pub fn BodyField(
    editor: Editor,
    id: String,
    /// The map or loop.
    node: String,
    value: Signal<Option<Value>>,
    put: Callback<Option<Value>>,
    wrong: RwSignal<Option<String>>,
) -> impl IntoView {
    let levels = use_context::<Levels>();
    let inside = Memo::new(move |_| value.with(|value| steps(value.as_ref())));
    let said = move || match inside.get() {
        Ok(steps) if steps.is_empty() => "Nothing is inside yet.".to_owned(),
        Ok(steps) => format!(
            "{}: {}",
            words::plural(steps.len() as u64, "step", "steps"),
            words::short(&steps.join(", "), 120)
        ),
        Err(reason) => reason,
    };
    let enter = {
        let node = node.clone();
        move |()| {
            if let Some(levels) = levels {
                levels.enter(&node);
            }
        }
    };
    let (json_id, open_id) = (format!("{id}-json"), id);
    view! {
        <div class="body-field" id=open_id>
            <p>{said}</p>
            <Button icon=Glyph::Right disabled=Signal::derive(move || inside.read().is_err()) on_press=enter>"Open the steps inside"</Button>
            <details>
                <summary>"As JSON"</summary>
                <TextField editor id=json_id node holds=KeyType::Body value put wrong/>
            </details>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_says_what_is_inside() {
        assert_eq!(steps(None), Ok(Vec::new()));
        let body = json!({"nodes": [{"id": "a", "kind": "agent", "title": "Draft"}, {"id": "b", "kind": "output"}], "edges": []});
        assert_eq!(steps(Some(&body)), Ok(vec!["Draft".into(), "b".into()]));
        assert!(steps(Some(&json!([]))).is_err());
    }
}
