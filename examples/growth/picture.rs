//! The measured points as a picture: milliseconds of a step over its useful work, both logarithmic, beside the line of steps that
//! would run at the machine's peak.

use plotters::prelude::*;
use plotters::style::register_font;
use saddlepoint_workloads::Workload;
use saddlepoint_workloads::growth::{Axis, Point};
use std::fmt::Display;
use std::ops::Range;
use std::path::Path;

const FONT: &str = "sans-serif";
const SIZE: (u32, u32) = (900, 620);
/// Told apart by colour-blind readers too, after Okabe and Ito; one a workload.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(199, 83, 0),
    RGBColor(0, 128, 96),
    RGBColor(184, 87, 140),
    RGBColor(43, 140, 196),
    RGBColor(168, 111, 0),
    RGBColor(60, 60, 60),
];
const PEAK: RGBColor = RGBColor(120, 120, 120);
const GRID: RGBColor = RGBColor(225, 225, 225);

/// Writes the picture as SVG.
pub fn save(path: &Path, points: &[Point], gemm_flops_per_second: f64) -> Result<(), String> {
    // Text is measured before it is placed, and a machine that measures speed often has no fonts.
    let font = include_bytes!("../../runtime/assets/font/DejaVuSans-subset.ttf");
    register_font(FONT, FontStyle::Normal, font).map_err(|_| "the embedded font cannot be read")?;
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    draw(&area, points, gemm_flops_per_second / 1e9).map_err(|e| said(path, e))?;
    area.present().map_err(|e| said(path, e))
}

fn said(path: &Path, error: impl Display) -> String {
    format!("{}: {error}", path.display())
}

/// Useful GFLOP and milliseconds of a step.
fn place(point: &Point) -> (f64, f64) {
    (point.useful_flops() / 1e9, 1e3 * point.times.quantile(0.1))
}

/// A range with some room around all values.
fn around(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) = values.fold((f64::INFINITY, 0.0f64), |(low, high), v| (low.min(v), high.max(v)));
    low / 1.5..high * 1.5
}

fn draw<DB: DrawingBackend>(
    area: &DrawingArea<DB, plotters::coord::Shift>,
    points: &[Point],
    peak: f64,
) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
    area.fill(&WHITE)?;
    let work = around(points.iter().map(|point| place(point).0));
    let time = around(points.iter().flat_map(|point| [place(point).1, 1e3 * place(point).0 / peak]));
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(work.clone().log_scale(), time.log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .label_style((FONT, 15))
        .x_desc("useful work of a step, GFLOP")
        .y_desc("time of a step, ms")
        .x_label_formatter(&f64::to_string)
        .y_label_formatter(&f64::to_string)
        .draw()?;
    let roof = [work.start, work.end].map(|gflop| (gflop, 1e3 * gflop / peak));
    chart
        .draw_series(DashedLineSeries::new(roof, 6, 4, PEAK.stroke_width(2)))?
        .label(format!("GEMM peak, {peak:.0} GFLOP/s"))
        .legend(|(x, y)| PathElement::new([(x, y), (x + 24, y)], PEAK));
    let workloads = Workload::ALL.into_iter().filter(|w| points.iter().any(|p| p.workload == *w));
    for (workload, colour) in workloads.zip(COLOURS) {
        for axis in [Axis::Batch, Axis::Width] {
            let own = points.iter().filter(|p| p.workload == workload && p.axis == axis);
            let places: Vec<(f64, f64)> = own.map(place).collect();
            let style = colour.stroke_width(2);
            // Growing batches are lines with full dots, growing widths lines with rings.
            let filled = axis == Axis::Batch;
            let dot = move |at: (f64, f64)| {
                let ring = if filled { colour.filled() } else { style };
                EmptyElement::at(at) + Circle::new((0, 0), 4, WHITE.filled()) + Circle::new((0, 0), 4, ring)
            };
            let label = format!("{}, growing {}", workload.name(), axis.name());
            chart.draw_series(LineSeries::new(places.clone(), style))?.label(label).legend(move |(x, y)| {
                let ring = if filled { colour.filled() } else { style };
                EmptyElement::at((x, y))
                    + PathElement::new([(0, 0), (24, 0)], style)
                    + Circle::new((12, 0), 4, WHITE.filled())
                    + Circle::new((12, 0), 4, ring)
            });
            chart.draw_series(places.into_iter().map(dot))?;
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font((FONT, 15))
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .margin(8)
        .draw()
}
