//! The canvas seen from far away: boxes and lines as pixels. One picture larger than the pane is moved
//! and scaled with the view, and drawn anew when the view leaves it or comes to rest; what is dragged is
//! drawn over it, on a picture of its own.

mod colours;

use leptos::prelude::{document, window};
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, Element, HtmlCanvasElement, HtmlElement};

pub use self::colours::Colours;
use super::{Extras, STRAIGHT_BELOW};
use crate::canvas::{
    dom,
    geometry::{Rect, rect},
    model::{Dirty, Model},
    status::Tint,
    viewport::{Pane, View},
};
use domain::kind::Kind;

/// How much larger than the pane the picture is, on each side, as a part of the pane.
const OVERSCAN: f64 = 0.3;
/// A picture that takes no longer than this is drawn in every frame of a zoom.
const CHEAP_MS: f64 = 6.0;
/// How far a picture may be stretched before it is drawn anew in the middle of a zoom.
const STRETCH: f64 = 1.6;
/// More selected nodes than this belong to the picture and not to what is drawn over it.
const MOST_ON_TOP: usize = 400;
/// Names are painted from this zoom on, unless there are too many boxes.
const TITLES_FROM: f64 = 0.14;
const MOST_TITLES: usize = 500;
/// Finer than this nobody sees it, and it takes time.
const MOST_PIXELS_PER_PIXEL: f64 = 2.0;

/// The picture and what is drawn over it.
pub struct Far {
    base: Layer,
    top: Layer,
    colours: Colours,
    pane: Pane,
    drawn: Option<View>,
    cost_ms: f64,
    lifted: Vec<u32>,
    top_used: bool,
    shown: bool,
    nodes: Vec<u32>,
    edges: Vec<u32>,
}

struct Layer {
    canvas: HtmlCanvasElement,
    context: CanvasRenderingContext2d,
}

/// What is drawn into which picture.
struct Frame {
    view: View,
    /// Where the corner of the pane is in the picture.
    offset: (f64, f64),
    area: Rect,
}

impl Layer {
    fn new(root: &HtmlElement) -> Option<Self> {
        let canvas: HtmlCanvasElement =
            document().create_element("canvas").ok()?.dyn_into().ok()?;
        canvas.set_class_name("canvas-far");
        dom::attribute(&canvas, "aria-hidden", "true");
        let viewport: Element = root.query_selector("[data-viewport]").ok()??;
        root.insert_before(&canvas, Some(&viewport)).ok()?;
        let context = canvas.get_context("2d").ok()??.dyn_into().ok()?;
        Some(Self { canvas, context })
    }

    fn resize(&self, w: f64, h: f64, ratio: f64) {
        let (across, down) = ((w * ratio).round() as u32, (h * ratio).round() as u32);
        if self.canvas.width() != across || self.canvas.height() != down {
            self.canvas.set_width(across);
            self.canvas.set_height(down);
            dom::style(&self.canvas, "width", &format!("{w}px"));
            dom::style(&self.canvas, "height", &format!("{h}px"));
        }
    }

    fn clear(&self, ratio: f64) {
        let _reset = self.context.set_transform(1.0, 0.0, 0.0, 1.0, 0.0, 0.0);
        let (w, h) = (
            f64::from(self.canvas.width()),
            f64::from(self.canvas.height()),
        );
        self.context.clear_rect(0.0, 0.0, w, h);
        let _scaled = self.context.set_transform(ratio, 0.0, 0.0, ratio, 0.0, 0.0);
    }
}

impl Far {
    /// Nothing drawn yet.
    pub fn new(root: &HtmlElement) -> Option<Self> {
        Some(Self {
            base: Layer::new(root)?,
            top: Layer::new(root)?,
            colours: Colours::of(root),
            pane: Pane::default(),
            drawn: None,
            cost_ms: 0.0,
            lifted: Vec::new(),
            top_used: false,
            shown: false,
            nodes: Vec::new(),
            edges: Vec::new(),
        })
    }

    /// Comes or goes.
    pub fn show(&mut self, on: bool) {
        self.shown = on;
        self.drawn = None;
        for layer in [&self.base, &self.top] {
            dom::style(&layer.canvas, "display", if on { "block" } else { "none" });
        }
    }

    /// The theme has changed.
    pub fn recolour(&mut self, root: &HtmlElement) {
        self.colours = Colours::of(root);
        self.drawn = None;
    }

    /// One frame. Says whether another one is needed.
    pub fn paint(
        &mut self,
        model: &mut Model,
        extras: &Extras<'_>,
        dirty: &Dirty,
        now_ms: f64,
    ) -> bool {
        let ratio = window()
            .device_pixel_ratio()
            .clamp(1.0, MOST_PIXELS_PER_PIXEL);
        let lifted = model.lifted();
        let other = lifted != self.lifted;
        if other {
            self.lifted = lifted;
        }
        let content = dirty.all
            || other
            || !dirty.content.is_empty()
            || !dirty.edges.is_empty()
            || !dirty.status.is_empty()
            || (!dirty.moved.is_empty() && self.lifted.is_empty())
            || (!dirty.selected.is_empty() && self.selected_in_picture(model));
        if content || model.pane != self.pane {
            self.drawn = None;
        }
        self.pane = model.pane;
        let resting = !model.busy() && !model.wheeled_within(now_ms, 120.0);
        let fits = self
            .drawn
            .is_some_and(|drawn| self.good_enough(drawn, model.view, resting));
        if !fits {
            let start = dom::now_ms();
            self.draw_base(model, extras, ratio);
            self.cost_ms = dom::now_ms() - start;
        }
        self.move_base(model.view);
        self.draw_top(model, extras, ratio);
        // A stretched picture is drawn anew once the view rests.
        !resting && self.drawn.is_some_and(|drawn| drawn.z != model.view.z)
    }

    fn selected_in_picture(&self, model: &Model) -> bool {
        model.scene.selected_count() > MOST_ON_TOP
    }

    fn good_enough(&self, drawn: View, view: View, resting: bool) -> bool {
        if !self.frame(drawn).area.covers(view.seen(self.pane)) {
            return false;
        }
        let stretch = view.z / drawn.z;
        if drawn.z == view.z {
            true
        } else {
            !resting && self.cost_ms > CHEAP_MS && (1.0 / STRETCH..STRETCH).contains(&stretch)
        }
    }

    fn frame(&self, view: View) -> Frame {
        let offset = (
            (self.pane.w * OVERSCAN).round(),
            (self.pane.h * OVERSCAN).round(),
        );
        let seen = view.seen(self.pane);
        let (dx, dy) = (offset.0 / view.z, offset.1 / view.z);
        let area = rect(
            seen.x - dx,
            seen.y - dy,
            seen.w + 2.0 * dx,
            seen.h + 2.0 * dy,
        );
        Frame { view, offset, area }
    }

    fn draw_base(&mut self, model: &mut Model, extras: &Extras<'_>, ratio: f64) {
        let frame = self.frame(model.view);
        let (w, h) = (
            self.pane.w + 2.0 * frame.offset.0,
            self.pane.h + 2.0 * frame.offset.1,
        );
        self.base.resize(w, h, ratio);
        self.base.clear(ratio);
        model.scene.nodes_in(frame.area, &mut self.nodes);
        model.scene.edges_in(frame.area, &mut self.edges);
        if !self.lifted.is_empty() {
            let lifted: std::collections::HashSet<u32> = self.lifted.iter().copied().collect();
            self.nodes.retain(|n| !lifted.contains(n));
            self.edges.retain(|e| {
                let (from, to) = model.scene.ends(*e);
                !lifted.contains(&from) && !lifted.contains(&to)
            });
        }
        let selected = self.selected_in_picture(model);
        self.draw(&self.base.context, &frame, model, selected);
        self.titles(&self.base.context, &frame, model, extras);
        self.drawn = Some(model.view);
    }

    fn move_base(&self, view: View) {
        let Some(drawn) = self.drawn else {
            return;
        };
        let offset = self.frame(drawn).offset;
        let stretch = view.z / drawn.z;
        let x = view.x - (offset.0 + drawn.x) * stretch;
        let y = view.y - (offset.1 + drawn.y) * stretch;
        dom::style(
            &self.base.canvas,
            "transform",
            &format!("translate({x:.2}px,{y:.2}px) scale({stretch:.5})"),
        );
    }

    fn draw_top(&mut self, model: &Model, extras: &Extras<'_>, ratio: f64) {
        let outlines = model.scene.selected_count() > 0 && !self.selected_in_picture(model);
        let wanted = !self.lifted.is_empty() || outlines;
        if !wanted && !self.top_used {
            return;
        }
        self.top.resize(self.pane.w, self.pane.h, ratio);
        self.top.clear(ratio);
        self.top_used = wanted;
        if !wanted {
            return;
        }
        let seen = model.view.seen(self.pane);
        let frame = Frame {
            view: model.view,
            offset: (0.0, 0.0),
            area: seen,
        };
        self.nodes.clear();
        self.edges.clear();
        self.nodes.extend(
            self.lifted
                .iter()
                .filter(|n| model.scene.rect(**n).touches(seen)),
        );
        for n in &self.lifted {
            self.edges.extend(model.scene.edges_of(*n));
        }
        self.edges.sort_unstable();
        self.edges.dedup();
        self.draw(&self.top.context, &frame, model, false);
        self.titles(&self.top.context, &frame, model, extras);
        if outlines {
            let chosen: Vec<u32> = model
                .scene
                .selected()
                .filter(|n| model.scene.rect(*n).touches(seen))
                .collect();
            self.outline(&self.top.context, &frame, model, &chosen);
        }
    }

    fn draw(
        &self,
        context: &CanvasRenderingContext2d,
        frame: &Frame,
        model: &Model,
        selected: bool,
    ) {
        let View { x, y, z } = frame.view;
        let (x, y) = (x + frame.offset.0, y + frame.offset.1);
        let scene = &model.scene;

        context.set_line_width(if z < 0.1 { 0.75 } else { 1.0 });
        context.set_stroke_style_str(&self.colours.line);
        context.set_global_alpha(if z < 0.1 { 0.35 } else { 0.55 });
        context.begin_path();
        for e in &self.edges {
            let Some(curve) = scene.curve(*e) else {
                continue;
            };
            context.move_to(curve.from.x * z + x, curve.from.y * z + y);
            let (tx, ty) = (curve.to.x * z + x, curve.to.y * z + y);
            if z < STRAIGHT_BELOW {
                context.line_to(tx, ty);
            } else {
                let (a, b) = (curve.first(), curve.second());
                context.bezier_curve_to(a.x * z + x, a.y * z + y, b.x * z + x, b.y * z + y, tx, ty);
            }
        }
        context.stroke();
        context.set_global_alpha(1.0);

        // One colour after the other: changing it costs more than a box.
        let mut by_tint: [Vec<Rect>; 8] = Default::default();
        let mut notes = Vec::new();
        for n in &self.nodes {
            let r = scene.rect(*n);
            let r = rect(
                r.x * z + x,
                r.y * z + y,
                (r.w * z).max(1.0),
                (r.h * z).max(1.0),
            );
            if scene.kinds[*n as usize] == Some(Kind::Note) {
                notes.push(r);
            } else {
                by_tint[scene.tints[*n as usize].index()].push(r);
            }
        }
        boxes(context, &notes, &self.colours.note, None);
        for (rects, colour) in by_tint.iter().zip(&self.colours.tints) {
            let plain = *colour == self.colours.plain;
            let outline =
                (plain && z > 0.1 && rects.len() < 2_000).then_some(self.colours.line.as_str());
            boxes(context, rects, colour, outline);
        }
        if selected {
            let chosen: Vec<u32> = self
                .nodes
                .iter()
                .copied()
                .filter(|n| scene.is_selected(*n))
                .collect();
            self.outline(context, frame, model, &chosen);
        }
    }

    /// Names, where boxes are few and large enough that some of them can be read.
    fn titles(
        &self,
        context: &CanvasRenderingContext2d,
        frame: &Frame,
        model: &Model,
        extras: &Extras<'_>,
    ) {
        let View { x, y, z } = frame.view;
        if z < TITLES_FROM || self.nodes.len() > MOST_TITLES {
            return;
        }
        let (x, y) = (x + frame.offset.0, y + frame.offset.1);
        context.set_font("9px system-ui, sans-serif");
        context.set_text_baseline("middle");
        for n in &self.nodes {
            let r = model.scene.rect(*n);
            let Some(node) = extras.drawing.nodes.get(*n as usize) else {
                continue;
            };
            if r.h * z < 10.0 || model.scene.kinds[*n as usize] == Some(Kind::Note) {
                continue;
            }
            // Some five pixels to a letter; what is wider than its box is cut.
            let most = ((r.w * z - 6.0) / 4.9).max(0.0) as usize;
            let title: String = node.title().chars().take(most).collect();
            let plain = matches!(model.scene.tints[*n as usize], Tint::None | Tint::Idle);
            context.set_fill_style_str(if plain {
                &self.colours.text
            } else {
                &self.colours.on
            });
            let middle = r.y * z + y + (r.h * z / 2.0).min(9.0);
            // Text that cannot be drawn is only missing.
            let _drawn = context.fill_text(&title, (r.x * z + x + 3.0).round(), middle);
        }
    }

    fn outline(
        &self,
        context: &CanvasRenderingContext2d,
        frame: &Frame,
        model: &Model,
        nodes: &[u32],
    ) {
        let View { x, y, z } = frame.view;
        let (x, y) = (x + frame.offset.0, y + frame.offset.1);
        context.set_line_width(2.0);
        context.set_stroke_style_str(&self.colours.accent);
        context.begin_path();
        for n in nodes {
            let r = model.scene.rect(*n);
            context.rect(
                r.x * z + x - 1.0,
                r.y * z + y - 1.0,
                r.w * z + 2.0,
                r.h * z + 2.0,
            );
        }
        context.stroke();
    }
}

fn boxes(context: &CanvasRenderingContext2d, rects: &[Rect], fill: &str, outline: Option<&str>) {
    if rects.is_empty() {
        return;
    }
    // Whole pixels are sharp, and are filled many times faster than parts of them.
    let whole = |r: &Rect| {
        (
            r.x.round(),
            r.y.round(),
            r.w.round().max(1.0),
            r.h.round().max(1.0),
        )
    };
    context.set_fill_style_str(fill);
    for r in rects {
        let (x, y, w, h) = whole(r);
        context.fill_rect(x, y, w, h);
    }
    if let Some(outline) = outline {
        context.set_line_width(1.0);
        context.set_stroke_style_str(outline);
        for r in rects {
            let (x, y, w, h) = whole(r);
            context.stroke_rect(x + 0.5, y + 0.5, w - 1.0, h - 1.0);
        }
    }
}
