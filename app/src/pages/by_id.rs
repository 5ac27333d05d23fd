//! Pages whose address names one thing.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// Makes the page of the thing that the address names, and a new one when it names another. The old one
/// is taken from the document before what it holds on to is disposed of: were both done by one resource
/// that loads again, the old page would stand there without its signals until the new one came.
pub fn by_id<V>(page: impl Fn(String) -> V + Clone + Send + Sync + 'static) -> impl IntoView
where
    V: IntoView + 'static,
{
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    view! { <For each=move || [id.get()] key=Clone::clone children=page/> }
}
