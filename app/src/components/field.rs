//! A labelled control in a form, with its help and what is wrong beside it.

use leptos::prelude::*;

/// A labelled control. The control inside carries `id`, and `aria-describedby` with `{id}-help`.
#[component]
pub fn Field(
    /// Id of the control.
    #[prop(into)]
    id: String,
    /// Its name.
    #[prop(into)]
    label: String,
    /// One sentence on what goes in.
    #[prop(optional, into)]
    help: Option<String>,
    /// Whether a form without it cannot be sent.
    #[prop(optional)]
    required: bool,
    /// What is wrong with what stands there.
    #[prop(optional, into)]
    error: MaybeProp<String>,
    /// The control.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="field" class:wrong=move || error.get().is_some()>
            <label for=id.clone()>{label} {required.then(|| view! { <span class="required">" required"</span> })}</label>
            {children()}
            <p class="help" id=format!("{id}-help")>
                {help}
                {move || error.get().map(|error| view! { <span class="field-error" role="alert">{error}</span> })}
            </p>
        </div>
    }
}
