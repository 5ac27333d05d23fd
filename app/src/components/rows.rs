//! Lists that change while people look at them: rows keep their place in the document, so focus and
//! what is open in them survive newer data.

use std::hash::Hash;

use leptos::{html, prelude::*};

use super::button::Button;

/// One view per item, made once; the signal that it is given follows the item.
pub fn rows<T, K, V>(
    list: Signal<Vec<T>>,
    key: fn(&T) -> K,
    view: impl Fn(Signal<T>) -> V + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let row = move |known: K| {
        let first = list
            .read_untracked()
            .iter()
            .find(|item| key(item) == known)
            .cloned()?;
        // A row that is about to leave shows its last state until it is gone.
        let item = Memo::new(move |before: Option<&T>| {
            let now = list.read().iter().find(|item| key(item) == known).cloned();
            now.or_else(|| before.cloned())
                .unwrap_or_else(|| first.clone())
        });
        Some(view(item.into()))
    };
    let keys = move || list.read().iter().map(key).collect::<Vec<_>>();
    view! { <For each=keys key=Clone::clone children=row/> }
}

/// Puts a newer first part of a list over what is known of it. `complete` says that the list ends
/// there; otherwise what is known behind the part's end stays. Both are in the order of `before`.
pub fn merge<T, K: Eq>(
    known: Vec<T>,
    fresh: Vec<T>,
    complete: bool,
    key: fn(&T) -> K,
    before: fn(&T, &T) -> bool,
) -> Vec<T> {
    let Some(last) = fresh.last().filter(|_| !complete) else {
        return fresh;
    };
    let older: Vec<T> = known
        .into_iter()
        .filter(|item| before(last, item) && fresh.iter().all(|new| key(new) != key(item)))
        .collect();
    fresh.into_iter().chain(older).collect()
}

/// The end of a list that goes on: loads more when it comes into sight, or when pressed.
#[component]
pub fn More(
    /// Whether there is more.
    #[prop(into)]
    more: Signal<bool>,
    /// Whether more is on its way.
    #[prop(into)]
    busy: Signal<bool>,
    /// Load more.
    #[prop(into)]
    on_reach: Callback<()>,
    /// What the button says.
    #[prop(default = "Load older")]
    label: &'static str,
) -> impl IntoView {
    let node = NodeRef::<html::Div>::new();
    when_seen(node, move || {
        if more.get_untracked() && !busy.get_untracked() {
            on_reach.run(());
        }
    });
    view! {
        <div class="list-end" node_ref=node>
            <Show when=move || more.get()>
                <Button busy on_press=on_reach>{label}</Button>
            </Show>
        </div>
    }
}

/// Calls `act` whenever the element comes into sight.
fn when_seen(node: NodeRef<html::Div>, act: impl Fn() + 'static) {
    #[cfg(feature = "hydrate")]
    {
        use wasm_bindgen::{JsCast, closure::Closure};
        let act = std::rc::Rc::new(act);
        Effect::new(move |_| {
            let Some(element) = node.get() else { return };
            let act = act.clone();
            let seen = Closure::<dyn Fn(js_sys::Array)>::new(move |entries: js_sys::Array| {
                let visible = entries.iter().any(|entry| {
                    entry
                        .unchecked_into::<web_sys::IntersectionObserverEntry>()
                        .is_intersecting()
                });
                if visible {
                    act();
                }
            });
            let Ok(observer) = web_sys::IntersectionObserver::new(seen.as_ref().unchecked_ref())
            else {
                return;
            };
            observer.observe(&element);
            let kept = StoredValue::new_local((observer, seen));
            on_cleanup(move || {
                let _gone = kept.try_with_value(|(observer, _)| observer.disconnect());
            });
        });
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = (node, act);
}

#[cfg(test)]
mod tests {
    use super::merge;

    fn check(known: &[u32], fresh: &[u32], complete: bool, expected: &[u32]) {
        // Newest first, as runs and events are.
        let merged = merge(
            known.to_vec(),
            fresh.to_vec(),
            complete,
            |item| *item,
            |a, b| a > b,
        );
        assert_eq!(merged, expected);
    }

    #[test]
    fn newer_items_come_before_what_is_known() {
        check(&[5, 4, 3, 2, 1], &[7, 6, 5], false, &[7, 6, 5, 4, 3, 2, 1]);
    }

    #[test]
    fn what_left_the_list_goes() {
        check(&[5, 4, 3, 2, 1], &[6, 4, 3], false, &[6, 4, 3, 2, 1]);
        check(&[5, 4, 3], &[4], true, &[4]);
        check(&[5, 4, 3], &[], false, &[]);
    }
}
