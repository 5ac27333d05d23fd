//! The small map: all nodes as specks, and a frame that says which part is in view. The specks are
//! drawn a few times a second at most; the frame is an element of its own.

use leptos::prelude::document;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlElement};

use super::Colours;
use crate::canvas::{
    dom,
    geometry::{Point, Rect, at, rect},
    model::{Dirty, Model},
    status::Tint,
    viewport::View,
};

const W: f64 = 180.0;
const H: f64 = 116.0;
const PADDING: f64 = 8.0;
/// Between two drawings while nodes move.
const EVERY_MS: f64 = 100.0;

/// The small map.
pub struct Minimap {
    element: HtmlElement,
    frame: HtmlElement,
    canvas: HtmlCanvasElement,
    context: CanvasRenderingContext2d,
    colours: Colours,
    shown: bool,
    stale: bool,
    drawn_ms: f64,
    /// From the canvas to the map.
    map: View,
    seen: Option<(View, View)>,
}

impl Minimap {
    /// Not shown yet.
    pub fn new(root: &HtmlElement) -> Option<Self> {
        let make = |name: &str, class: &str| {
            let element = document().create_element(name).ok()?;
            element.set_class_name(class);
            element.dyn_into::<HtmlElement>().ok()
        };
        let element = make("div", "minimap")?;
        dom::attribute(&element, "data-minimap", "");
        dom::attribute(&element, "role", "img");
        dom::attribute(&element, "aria-label", "Map of the workflow");
        let canvas: HtmlCanvasElement = make("canvas", "minimap-picture")?.dyn_into().ok()?;
        canvas.set_width((W * 2.0) as u32);
        canvas.set_height((H * 2.0) as u32);
        let frame = make("div", "minimap-frame")?;
        element.append_child(&canvas).ok()?;
        element.append_child(&frame).ok()?;
        let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
        root.append_child(&element).ok()?;
        dom::style(&element, "display", "none");
        Some(Self {
            element,
            frame,
            canvas,
            context,
            colours: Colours::of(root),
            shown: false,
            stale: true,
            drawn_ms: f64::NEG_INFINITY,
            map: View::default(),
            seen: None,
        })
    }

    /// Comes or goes.
    pub fn show(&mut self, on: bool) {
        self.shown = on;
        self.stale = true;
        dom::style(&self.element, "display", if on { "block" } else { "none" });
    }

    /// The theme has changed.
    pub fn recolour(&mut self, root: &HtmlElement) {
        self.colours = Colours::of(root);
        self.stale = true;
    }

    /// The place on the canvas that a point of the map stands for, `client` being where the pointer is.
    pub fn place(&self, client: Point) -> Point {
        let corner = self.element.get_bounding_client_rect();
        self.map
            .to_canvas(at(client.x - corner.left(), client.y - corner.top()))
    }

    /// One frame. Says whether another one is needed.
    pub fn paint(&mut self, model: &Model, dirty: &Dirty, now_ms: f64) -> bool {
        self.stale |= dirty.all || !dirty.moved.is_empty() || !dirty.status.is_empty();
        if !self.shown {
            return false;
        }
        let wait = if model.scene.nodes() > 2_000 && model.busy() {
            f64::INFINITY
        } else {
            EVERY_MS
        };
        let due = now_ms - self.drawn_ms >= wait;
        if self.stale && due {
            self.stale = false;
            self.drawn_ms = now_ms;
            self.draw(model);
        }
        if self.seen != Some((model.view, self.map)) {
            self.seen = Some((model.view, self.map));
            self.move_frame(model);
        }
        self.stale && wait.is_finite()
    }

    fn draw(&mut self, model: &Model) {
        let bounds = model.scene.bounds().unwrap_or(rect(0.0, 0.0, 1.0, 1.0));
        let z = ((W - 2.0 * PADDING) / bounds.w)
            .min((H - 2.0 * PADDING) / bounds.h)
            .min(0.2);
        let middle = bounds.centre();
        self.map = View {
            x: W / 2.0 - middle.x * z,
            y: H / 2.0 - middle.y * z,
            z,
        };
        let context = &self.context;
        let _reset = context.set_transform(1.0, 0.0, 0.0, 1.0, 0.0, 0.0);
        let (w, h) = (
            f64::from(self.canvas.width()),
            f64::from(self.canvas.height()),
        );
        context.clear_rect(0.0, 0.0, w, h);
        let _scaled = context.set_transform(2.0, 0.0, 0.0, 2.0, 0.0, 0.0);
        for (tint, colour) in Tint::ALL.into_iter().zip(&self.colours.tints) {
            let plain = matches!(tint, Tint::None | Tint::Idle);
            context.set_fill_style_str(if plain { &self.colours.line } else { colour });
            context.begin_path();
            let mut any = false;
            for n in
                (0..model.scene.nodes() as u32).filter(|n| model.scene.tints[*n as usize] == tint)
            {
                let r = model.scene.rect(n);
                let (x, y) = (r.x * z + self.map.x, r.y * z + self.map.y);
                context.rect(x, y, (r.w * z).max(1.0), (r.h * z).max(1.0));
                any = true;
            }
            if any {
                context.fill();
            }
        }
    }

    fn move_frame(&self, model: &Model) {
        let seen = model.view.seen(model.pane);
        let corner = self.map.to_screen(at(seen.x, seen.y));
        let far = self.map.to_screen(at(seen.right(), seen.bottom()));
        // The frame stays inside the map, so that it is seen from everywhere.
        let inside = Rect::between(
            at(corner.x.clamp(0.0, W - 4.0), corner.y.clamp(0.0, H - 4.0)),
            at(far.x.clamp(4.0, W), far.y.clamp(4.0, H)),
        );
        dom::style(
            &self.frame,
            "transform",
            &format!("translate({:.1}px,{:.1}px)", inside.x, inside.y),
        );
        dom::style(&self.frame, "width", &format!("{:.1}px", inside.w));
        dom::style(&self.frame, "height", &format!("{:.1}px", inside.h));
    }
}
