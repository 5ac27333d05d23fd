//! A line of the last values, without axes: whether it rises, falls or rests.

use std::fmt::Write;

use leptos::prelude::*;

const WIDTH: f64 = 96.0;
const HEIGHT: f64 = 20.0;

/// The points of the line: the newest at the right edge, 0 at the bottom, the largest at the top.
fn points(values: &[f64], slots: usize) -> String {
    let slots = slots.max(2);
    let largest = values.iter().copied().fold(1.0, f64::max);
    let step = WIDTH / (slots - 1) as f64;
    let shown = &values[values.len().saturating_sub(slots)..];
    let mut out = String::new();
    for (at, value) in shown.iter().enumerate() {
        let x = WIDTH - step * (shown.len() - 1 - at) as f64;
        let y = HEIGHT - 1.0 - (HEIGHT - 2.0) * (value / largest).clamp(0.0, 1.0);
        // Writing to a string cannot fail.
        let _written = write!(out, "{x:.1},{y:.1} ");
    }
    out
}

/// A line of the last values.
#[component]
pub fn Sparkline(
    /// Oldest first.
    #[prop(into)]
    values: Signal<Vec<f64>>,
    /// How many values fill the width.
    #[prop(default = 60)]
    slots: usize,
    /// What it shows, in words.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    view! {
        <svg class="sparkline" viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none" role="img" aria-label=label>
            <line x1="0" y1={HEIGHT - 1.0} x2=WIDTH y2={HEIGHT - 1.0}></line>
            <polyline points=move || values.with(|values| points(values, slots))></polyline>
        </svg>
    }
}

#[cfg(test)]
mod tests {
    use super::points;

    #[test]
    fn the_newest_value_stands_at_the_right() {
        assert_eq!(points(&[0.0, 10.0], 2), "0.0,19.0 96.0,1.0 ");
        assert_eq!(points(&[5.0, 0.0, 10.0], 2), "0.0,19.0 96.0,1.0 ");
    }

    #[test]
    fn few_or_no_values_are_no_trouble() {
        assert_eq!(points(&[], 60), "");
        assert_eq!(points(&[0.0], 0), "96.0,19.0 ");
    }
}
