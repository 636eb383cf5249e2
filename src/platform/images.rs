//! Scaling pictures, which the browser does best.

/// How a picture is made to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// Cut to the aspect ratio that was asked for.
    Crop,
    /// Keep the picture's own aspect ratio; neither side gets smaller than what was asked for.
    Fit,
}

/// The type that [`scale`] makes where the browser can write it; others write PNG.
#[cfg(target_arch = "wasm32")]
const SCALED_CONTENT_TYPE: &str = "image/webp";

/// The part of the source that is drawn, and the size that it is drawn in.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "only browsers draw"))]
#[derive(Debug, PartialEq)]
struct Plan {
    source: (f64, f64, f64, f64),
    width: u32,
    height: u32,
}

/// Plans how a picture of `source` pixels is made to fit `width` and `height`; `None` when it is
/// no larger than that, since thumbnails are never scaled up.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "only browsers draw"))]
fn plan(source: (u32, u32), width: u32, height: u32, scaling: Scaling) -> Option<Plan> {
    let (source_width, source_height) = (f64::from(source.0), f64::from(source.1));
    let ratios = (f64::from(width) / source_width, f64::from(height) / source_height);
    let cover = ratios.0.max(ratios.1);
    if !cover.is_finite() || cover >= 1.0 {
        return None;
    }
    let drawn = |length: f64| (length.round() as u32).max(1);
    Some(match scaling {
        Scaling::Crop => {
            let cut = (f64::from(width) / cover, f64::from(height) / cover);
            let corner = ((source_width - cut.0) / 2.0, (source_height - cut.1) / 2.0);
            Plan { source: (corner.0, corner.1, cut.0, cut.1), width, height }
        }
        Scaling::Fit => Plan {
            source: (0.0, 0.0, source_width, source_height),
            width: drawn(source_width * cover),
            height: drawn(source_height * cover),
        },
    })
}

/// `blob` drawn smaller; `None` when it is small enough already or not
/// a picture that can be drawn here. Natively nothing can be drawn.
#[cfg(not(target_arch = "wasm32"))]
pub async fn scale(_: &super::Blob, _: u32, _: u32, _: Scaling) -> Option<super::Blob> {
    None
}

/// `blob` drawn smaller; `None` when it is small enough already or not
/// a picture that can be drawn here. To draw a large one takes tens of milliseconds.
#[cfg(target_arch = "wasm32")]
pub async fn scale(
    blob: &super::Blob,
    width: u32,
    height: u32,
    scaling: Scaling,
) -> Option<super::Blob> {
    use wasm_bindgen::JsCast;

    let picture = blob.as_web();
    let crop = scaling == Scaling::Crop;
    let input = [picture.clone().into(), width.into(), height.into(), crop.into()];
    let drawn = match super::helper::run("scale", &input).await {
        Some(drawn) => drawn.dyn_into().ok(),
        None => draw(picture, width, height, scaling).await,
    };
    drawn.map(Into::into)
}

/// The same, in this worker.
#[cfg(target_arch = "wasm32")]
pub async fn draw(
    picture: &web_sys::Blob,
    width: u32,
    height: u32,
    scaling: Scaling,
) -> Option<web_sys::Blob> {
    use wasm_bindgen::JsCast;
    use wasm_bindgen_futures::JsFuture;

    let scope: web_sys::WorkerGlobalScope = js_sys::global().dyn_into().ok()?;
    let bitmap = scope.create_image_bitmap_with_blob(picture).ok()?;
    let bitmap: web_sys::ImageBitmap = JsFuture::from(bitmap).await.ok()?.dyn_into().ok()?;
    let drawn = async {
        let plan = plan((bitmap.width(), bitmap.height()), width, height, scaling)?;
        let canvas = web_sys::OffscreenCanvas::new(plan.width, plan.height).ok()?;
        let context: web_sys::OffscreenCanvasRenderingContext2d =
            canvas.get_context("2d").ok()??.dyn_into().ok()?;
        context.set_image_smoothing_enabled(true);
        let (x, y, cut_width, cut_height) = plan.source;
        context
            .draw_image_with_image_bitmap_and_sw_and_sh_and_dx_and_dy_and_dw_and_dh(
                &bitmap,
                x,
                y,
                cut_width,
                cut_height,
                0.0,
                0.0,
                f64::from(plan.width),
                f64::from(plan.height),
            )
            .ok()?;
        let options = web_sys::ImageEncodeOptions::new();
        options.set_type(SCALED_CONTENT_TYPE);
        let blob = canvas.convert_to_blob_with_options(&options).ok()?;
        JsFuture::from(blob).await.ok()?.dyn_into::<web_sys::Blob>().ok()
    }
    .await;
    // Frees the pixels now and not at some collection.
    bitmap.close();
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_cut_or_kept_whole_but_never_smaller_than_asked() {
        let crop = plan((400, 200), 100, 100, Scaling::Crop).unwrap();
        assert_eq!(crop, Plan { source: (100.0, 0.0, 200.0, 200.0), width: 100, height: 100 });
        let fit = plan((400, 200), 100, 100, Scaling::Fit).unwrap();
        assert_eq!(fit, Plan { source: (0.0, 0.0, 400.0, 200.0), width: 200, height: 100 });
        assert_eq!(plan((50, 400), 100, 100, Scaling::Fit), None);
        assert_eq!(plan((0, 0), 100, 100, Scaling::Crop), None);
    }
}
