//! The canvas in a browser: model, painter and listeners, brought together once per frame.

mod clipboard;
mod keys;
mod listen;

use std::{cell::RefCell, rc::Rc};

use leptos::prelude::*;
use send_wrapper::SendWrapper;
use web_sys::HtmlElement;

use super::{
    dom::{self, Frames, Listener},
    geometry::{Point, at},
    model::{Ask, Model, PointerInput},
    paint::{Extras, Minimap, Painter},
    viewport::View,
};

/// Lets somebody look at what the canvas shows.
pub type Read = dyn Fn(&mut dyn FnMut(&Extras<'_>));

/// A canvas in the page.
pub struct Stage {
    /// What is where.
    pub model: Model,
    root: HtmlElement,
    painter: Painter,
    minimap: Option<Minimap>,
    /// Where the pane is in the window.
    corner: Point,
    /// The last place of a pointer in this frame.
    pending: Option<PointerInput>,
    /// The pointer that moves the view by the small map.
    mapping: Option<i32>,
    /// Whether the pointer was used last, and not the keyboard.
    pointing: bool,
    frame_ms: f64,
    zoom_told_ms: f64,
}

const ZOOM_TOLD_EVERY_MS: f64 = 100.0;

struct Inner {
    stage: RefCell<Stage>,
    read: Box<Read>,
    ask: Box<dyn Fn(Ask)>,
    zoom: RwSignal<f64>,
    frames: RefCell<Option<Frames>>,
    listeners: RefCell<Vec<Listener>>,
    cleanups: RefCell<Vec<Box<dyn FnOnce()>>>,
}

/// Holds on to a canvas.
#[derive(Clone)]
pub struct StageRef(Rc<Inner>);

/// What a page keeps of a canvas: nothing on the server, the stage in a browser.
#[derive(Clone, Copy)]
pub struct CanvasHandle {
    stage: StoredValue<Option<SendWrapper<StageRef>>>,
    /// The zoom, for those who show it.
    pub zoom: RwSignal<f64>,
}

impl Default for CanvasHandle {
    fn default() -> Self {
        Self {
            stage: StoredValue::new(None),
            zoom: RwSignal::new(1.0),
        }
    }
}

impl CanvasHandle {
    /// Does something to the canvas, if it is there, and paints what came of it.
    pub fn with<T>(self, change: impl FnOnce(&mut Stage) -> T) -> Option<T> {
        let stage = self.stage.try_get_value().flatten()?;
        stage.with(|stage, _| change(stage))
    }

    /// As `with`, with a look at what the canvas shows.
    pub fn look<T>(self, change: impl FnOnce(&mut Stage, &Extras<'_>) -> T) -> Option<T> {
        let stage = self.stage.try_get_value().flatten()?;
        stage.with(change)
    }

    /// The canvas is in the page.
    pub fn attach(self, root: HtmlElement, model: Model, read: Box<Read>, ask: Box<dyn Fn(Ask)>) {
        if let Some(stage) = StageRef::new(root, model, read, ask, self.zoom) {
            self.stage.set_value(Some(SendWrapper::new(stage)));
        }
    }

    /// The canvas has left the page.
    pub fn detach(self) {
        if let Some(stage) = self.stage.try_get_value().flatten() {
            stage.end();
            self.stage.set_value(None);
        }
    }
}

impl StageRef {
    fn new(
        root: HtmlElement,
        mut model: Model,
        read: Box<Read>,
        ask: Box<dyn Fn(Ask)>,
        zoom: RwSignal<f64>,
    ) -> Option<Self> {
        model.still = dom::wants_stillness();
        let stage = Stage {
            model,
            painter: Painter::new(root.clone())?,
            minimap: Minimap::new(&root),
            corner: Point::default(),
            pending: None,
            mapping: None,
            pointing: false,
            frame_ms: dom::now_ms(),
            zoom_told_ms: 0.0,
            root,
        };
        let this = Self(Rc::new(Inner {
            stage: RefCell::new(stage),
            read,
            ask,
            zoom,
            frames: RefCell::new(None),
            listeners: RefCell::new(Vec::new()),
            cleanups: RefCell::new(Vec::new()),
        }));
        let weak = Rc::downgrade(&this.0);
        let frames = Frames::new(move |time| {
            if let Some(inner) = weak.upgrade() {
                StageRef(inner).frame(time);
            }
        });
        this.0.frames.replace(Some(frames));
        this.listen();
        this.measure();
        // The first picture at once, so that the one from the server does not go before this comes.
        this.frame(dom::now_ms());
        Some(this)
    }

    fn end(&self) {
        self.0.listeners.borrow_mut().clear();
        for cleanup in self.0.cleanups.take() {
            cleanup();
        }
        self.0.frames.replace(None);
    }

    /// Changes the stage, tells the page what it is asked to do, and has the result painted. `None`
    /// when somebody further up is at it already: an event that our own change has caused.
    fn with<T>(&self, change: impl FnOnce(&mut Stage, &Extras<'_>) -> T) -> Option<T> {
        let mut result = None;
        let mut change = Some(change);
        let asks = {
            let mut stage = self.0.stage.try_borrow_mut().ok()?;
            (self.0.read)(&mut |extras| {
                if let Some(change) = change.take() {
                    result = Some(change(&mut stage, extras));
                }
            });
            std::mem::take(&mut stage.model.asks)
        };
        self.tell(asks);
        self.request();
        result
    }

    fn tell(&self, asks: Vec<Ask>) {
        for ask in asks {
            match ask {
                Ask::Focus(n) => {
                    if let Ok(stage) = self.0.stage.try_borrow() {
                        stage.painter.focus(n);
                    }
                }
                ask @ (Ask::Edit(_)
                | Ask::Selection
                | Ask::Palette { .. }
                | Ask::Say(_)
                | Ask::Refused(_)
                | Ask::Label(_)
                | Ask::Rename(_)
                | Ask::Undo
                | Ask::Redo
                | Ask::Duplicate
                | Ask::ToggleDisabled
                | Ask::Tidy
                | Ask::ToggleMinimap
                | Ask::ToggleTool) => (self.0.ask)(ask),
            }
        }
    }

    fn request(&self) {
        if let Some(frames) = &*self.0.frames.borrow() {
            frames.ask();
        }
    }

    /// Where the pane is and how large. Never called while something moves.
    fn measure(&self) {
        if let Ok(mut stage) = self.0.stage.try_borrow_mut() {
            stage.measure();
        }
    }

    fn frame(&self, now_ms: f64) {
        let asks = {
            let Ok(mut stage) = self.0.stage.try_borrow_mut() else {
                return;
            };
            let mut more = false;
            (self.0.read)(&mut |extras| more = stage.frame(extras, now_ms));
            if more {
                self.request();
            }
            if stage.tell_zoom(self.0.zoom, now_ms) {
                self.request();
            }
            std::mem::take(&mut stage.model.asks)
        };
        if !asks.is_empty() {
            self.tell(asks);
            self.request();
        }
    }
}

impl Stage {
    fn frame(&mut self, extras: &Extras<'_>, now_ms: f64) -> bool {
        let frame_ms = now_ms - self.frame_ms;
        self.frame_ms = now_ms;
        if let Some(input) = self.pending.take() {
            self.model.pointer_move(input, extras.drawing);
        }
        let mut more = self.model.tick(now_ms, frame_ms);
        let dirty = self.model.dirty.clone();
        more |= self.painter.paint(&mut self.model, extras, now_ms).more;
        if let Some(minimap) = &mut self.minimap {
            more |= minimap.paint(&self.model, &dirty, now_ms);
        }
        more
    }

    /// Says how near one looks, a few times a second: numbers that race help nobody, and each is a
    /// layout. Says whether there is more to tell.
    fn tell_zoom(&mut self, told: RwSignal<f64>, now_ms: f64) -> bool {
        let zoom = self.model.view.z;
        if told.try_get_untracked().is_none_or(|known| known == zoom) {
            return false;
        }
        if now_ms - self.zoom_told_ms < ZOOM_TOLD_EVERY_MS {
            return true;
        }
        self.zoom_told_ms = now_ms;
        told.set(zoom);
        false
    }

    fn measure(&mut self) {
        let area = self.root.get_bounding_client_rect();
        self.corner = at(area.left(), area.top());
        self.model.set_pane(super::viewport::Pane {
            w: area.width(),
            h: area.height(),
        });
    }

    /// Shows or hides the small map.
    pub fn show_minimap(&mut self, on: bool) {
        if let Some(minimap) = &mut self.minimap {
            minimap.show(on);
        }
    }

    /// Dots run along these edges once.
    pub fn pulse(&mut self, edges: &[u32]) {
        self.painter.pulse(&self.model, edges);
    }

    /// Where the middle of an edge is on screen.
    pub fn edge_middle(&self, edge: u32) -> Option<Point> {
        self.painter.edge_middle(&self.model, edge)
    }

    /// Gives the canvas the keyboard's focus.
    pub fn focus(&self) {
        let _focused = self.root.focus();
    }

    /// Whether a point of the window is over the canvas, and where on it.
    pub fn over(&mut self, client: Point) -> Option<Point> {
        self.measure();
        let inside = at(client.x - self.corner.x, client.y - self.corner.y);
        let pane = self.model.pane;
        let over = inside.x >= 0.0 && inside.y >= 0.0 && inside.x <= pane.w && inside.y <= pane.h;
        over.then_some(inside)
    }

    /// Another view at once.
    pub fn jump(&mut self, view: View) {
        self.model.settle();
        self.model.set_view(view);
    }
}
