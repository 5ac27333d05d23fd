//! The way to every page: a rail at the left, a bar at the bottom of narrow screens.

use leptos::prelude::*;
use leptos_router::components::A;

use super::icon::{Glyph, Icon};

const PAGES: [(&str, &str, Glyph); 7] = [
    ("/", "Home", Glyph::Home),
    ("/workflows", "Workflows", Glyph::Workflow),
    ("/runs", "Runs", Glyph::Play),
    ("/agents", "Agents", Glyph::Agents),
    ("/events", "Events", Glyph::Events),
    ("/usage", "Usage", Glyph::Usage),
    ("/settings", "Settings", Glyph::Settings),
];

/// The way to every page.
#[component]
pub fn Rail() -> impl IntoView {
    view! {
        <nav class="rail" aria-label="Pages">
            <ul>
                {PAGES
                    .into_iter()
                    .map(|(path, label, glyph)| {
                        view! {
                            <li>
                                <A href=path exact={path == "/"} attr:title=label>
                                    <Icon glyph/>
                                    <span>{label}</span>
                                </A>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </nav>
    }
}
