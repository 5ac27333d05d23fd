//! Bars over days, stacked by what they are made of; and bars of a list, one below the other. Drawn on
//! the server as SVG, so they are there before any script. The same numbers stand in a table beside
//! them: a chart is for the eye, the table for everybody.

use leptos::prelude::*;

/// One bar: what stands below it, and its parts from the bottom up.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What stands below it.
    pub label: String,
    /// The height of each part, in the order of the series.
    pub parts: Vec<u64>,
    /// All of it, in words.
    pub words: String,
}

const WIDTH: u64 = 720;
const HEIGHT: u64 = 160;
/// Where the bars stand.
const FLOOR: u64 = 140;
/// Colours that are told apart; the last stands for all others.
pub const COLOURS: usize = 6;

/// A part of a bar: which colour, from where, how high. Heights are in thousandths of the chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    colour: usize,
    y: u64,
    height: u64,
}

/// The parts of a bar under this scale. Whatever is not nothing can be seen.
fn pieces(parts: &[u64], highest: u64) -> Vec<Piece> {
    let room = FLOOR - 8;
    let mut top = FLOOR;
    let mut pieces = Vec::new();
    for (colour, part) in parts.iter().enumerate().filter(|(_, part)| **part > 0) {
        let height = u128::from(*part) * u128::from(room) / u128::from(highest.max(1));
        let height = u64::try_from(height).unwrap_or(room).max(1);
        top = top.saturating_sub(height);
        pieces.push(Piece {
            colour: colour.min(COLOURS - 1),
            y: top,
            height,
        });
    }
    pieces
}

/// Bars over days.
#[component]
pub fn DayBars(
    /// The bars, in order.
    #[prop(into)]
    bars: Signal<Vec<Bar>>,
    /// What the parts are, in their order.
    #[prop(into)]
    series: Signal<Vec<String>>,
    /// What it shows, in words.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    let drawing = move || {
        bars.with(|bars| {
            let sum = |bar: &Bar| {
                bar.parts
                    .iter()
                    .fold(0_u64, |sum, part| sum.saturating_add(*part))
            };
            let highest = bars.iter().map(sum).max().unwrap_or(0);
            let count = u64::try_from(bars.len()).unwrap_or(1).max(1);
            let step = (WIDTH / count).max(1);
            let width = (step * 4 / 5).max(1);
            // As many words below as can be read.
            let every = bars.len().div_ceil(8).max(1);
            bars.iter()
                .enumerate()
                .map(|(at, bar)| {
                    let x = u64::try_from(at).unwrap_or(0) * WIDTH / count + (step - width) / 2;
                    let parts = pieces(&bar.parts, highest)
                        .into_iter()
                        .map(|Piece { colour, y, height }| {
                            view! { <rect data-series=colour x=x y=y width=width height=height></rect> }
                        })
                        .collect_view();
                    let words = (at % every == 0).then(|| {
                        view! { <text x={x + width / 2} y={HEIGHT - 4} text-anchor="middle">{bar.label.clone()}</text> }
                    });
                    view! {
                        <g>
                            <title>{format!("{}: {}", bar.label, bar.words)}</title>
                            {parts}
                            {words}
                        </g>
                    }
                })
                .collect_view()
        })
    };
    let legend = move || {
        series.with(|series| {
            series
                .iter()
                .enumerate()
                .map(|(at, name)| {
                    view! { <li><span class="chart-key" data-series={at.min(COLOURS - 1)}></span>{name.clone()}</li> }
                })
                .collect_view()
        })
    };
    view! {
        <figure class="chart">
            <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") role="img" aria-label=label>
                <line x1="0" y1=FLOOR x2=WIDTH y2=FLOOR></line>
                {drawing}
            </svg>
            <figcaption><ul class="chart-legend">{legend}</ul></figcaption>
        </figure>
    }
    .into_any()
}

/// How long a value is beside the largest, in thousandths.
pub fn share(value: u64, largest: u64) -> u64 {
    if largest == 0 {
        return 0;
    }
    let permille = u128::from(value.min(largest)) * 1_000 / u128::from(largest);
    u64::try_from(permille).unwrap_or(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(parts: &[u64], highest: u64) -> String {
        let pieces = pieces(parts, highest);
        let words = pieces
            .iter()
            .map(|piece| format!("{}:{}+{}", piece.colour, piece.y, piece.height));
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn parts_stand_on_each_other_and_nothing_is_lost() {
        assert_eq!(shown(&[10, 10], 20), "0:74+66 1:8+66");
        assert_eq!(shown(&[0, 5], 10), "1:74+66");
        assert_eq!(shown(&[1], u64::MAX), "0:139+1", "what is small is seen");
        assert_eq!(shown(&[u64::MAX], u64::MAX), "0:8+132");
        assert_eq!(shown(&[], 0), "");
    }

    #[test]
    fn many_series_share_the_last_colour() {
        let colours: Vec<usize> = pieces(&[1; 9], 9)
            .iter()
            .map(|piece| piece.colour)
            .collect();
        assert_eq!(colours, [0, 1, 2, 3, 4, 5, 5, 5, 5]);
    }

    #[test]
    fn shares_are_of_the_largest() {
        assert_eq!(share(1, 4), 250);
        assert_eq!(share(5, 4), 1_000);
        assert_eq!(share(5, 0), 0);
        assert_eq!(share(u64::MAX, u64::MAX), 1_000);
    }
}
