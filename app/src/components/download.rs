//! Text as a file on the person's disk.

/// Offers `text` as a file of this name.
pub fn download(name: &str, media_type: &str, text: &str) {
    #[cfg(feature = "hydrate")]
    {
        use leptos::prelude::{document, set_timeout};
        use wasm_bindgen::JsCast;
        let parts = js_sys::Array::of1(&wasm_bindgen::JsValue::from_str(text));
        let options = web_sys::BlobPropertyBag::new();
        options.set_type(media_type);
        // Each step can only fail where the browser has no room left; then there is no file.
        let Ok(blob) = web_sys::Blob::new_with_str_sequence_and_options(&parts, &options) else {
            return;
        };
        let Ok(address) = web_sys::Url::create_object_url_with_blob(&blob) else {
            return;
        };
        let Ok(link) = document().create_element("a") else {
            return;
        };
        let Ok(link) = link.dyn_into::<web_sys::HtmlAnchorElement>() else {
            return;
        };
        link.set_href(&address);
        link.set_download(name);
        link.click();
        set_timeout(
            move || {
                let _freed = web_sys::Url::revoke_object_url(&address);
            },
            std::time::Duration::from_secs(10),
        );
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = (name, media_type, text);
}
