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
    let room = HEIGHT;
    let mut top = HEIGHT;
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

fn sum(bar: &Bar) -> u64 {
    let parts = bar.parts.iter();
    parts.fold(0, |sum, part| sum.saturating_add(*part))
}

/// The top of a scale that holds so much: 1, 2, 5 or 10 with zeros behind.
fn scale(highest: u64) -> u64 {
    let mut step: u64 = 1;
    loop {
        for times in [1, 2, 5] {
            let top = step.saturating_mul(times);
            if top >= highest.max(2) {
                return top;
            }
        }
        step = step.saturating_mul(10);
    }
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
    /// A value of the scale, in words.
    #[prop(into)]
    words: Callback<u64, String>,
    /// What it shows, in words.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    let drawing = move || {
        bars.with(|bars| {
            let highest = scale(bars.iter().map(sum).max().unwrap_or(0));
            let count = u64::try_from(bars.len()).unwrap_or(1).max(1);
            let step = (WIDTH / count).max(1);
            let width = (step * 4 / 5).max(1);
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
                    view! {
                        <g>
                            <title>{format!("{}: {}", bar.label, bar.words)}</title>
                            {parts}
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
    let days = move || {
        bars.with(|bars| {
            // As many words below as can be read.
            let every = bars.len().div_ceil(8).max(1);
            let count = bars.len().max(1);
            bars.iter()
                .enumerate()
                .filter(|(at, _)| at % every == 0)
                .map(|(at, bar)| {
                    let left = format!(
                        "{}.{}%",
                        (at * 2 + 1) * 50 / count,
                        (at * 2 + 1) * 500 / count % 10
                    );
                    view! { <span style:left=left>{bar.label.clone()}</span> }
                })
                .collect_view()
        })
    };
    let top = move || scale(bars.with(|bars| bars.iter().map(sum).max().unwrap_or(0)));
    view! {
        <figure class="chart">
            <div class="chart-area">
                <div class="chart-scale" aria-hidden="true">
                    <span>{move || words.run(top())}</span>
                    <span>{move || words.run(top() / 2)}</span>
                    <span>{move || words.run(0)}</span>
                </div>
                <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none" role="img" aria-label=label>
                    <line x1="0" y1="0" x2=WIDTH y2="0"></line>
                    <line x1="0" y1={HEIGHT / 2} x2=WIDTH y2={HEIGHT / 2}></line>
                    <line x1="0" y1=HEIGHT x2=WIDTH y2=HEIGHT></line>
                    {drawing}
                </svg>
                <div class="chart-days" aria-hidden="true">{days}</div>
            </div>
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
        assert_eq!(shown(&[10, 10], 20), "0:80+80 1:0+80");
        assert_eq!(shown(&[0, 5], 10), "1:80+80");
        assert_eq!(shown(&[1], u64::MAX), "0:159+1", "what is small is seen");
        assert_eq!(shown(&[u64::MAX], u64::MAX), "0:0+160");
        assert_eq!(shown(&[], 0), "");
    }

    #[test]
    fn scales_end_at_round_numbers() {
        let tops = [0, 2, 3, 7, 11, 7_500, 1_000_000].map(scale);
        assert_eq!(tops, [2, 2, 5, 10, 20, 10_000, 1_000_000]);
        assert_eq!(scale(u64::MAX), u64::MAX);
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
