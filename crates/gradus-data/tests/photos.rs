//! Digits in photographs, scans, forms and cropped images: each kind is drawn here from built-in digits.
//! A digit counts as read if, in MNIST's form, it is nearer to itself than to any other.

use gradus_data::digits::{Part, generate};
use gradus_data::images::{
    GreyImage, MNIST_PIXELS, MNIST_SIDE, find_digits, to_mnist_form, to_size,
};
use gradus_data::{Dataset, Inputs};

const COUNT: usize = 30;
const HEIGHT: usize = 240;
const WIDTH: usize = 320;

/// Built-in digits in MNIST's form.
fn digits() -> Vec<Vec<u8>> {
    let Dataset { inputs: Inputs::Bytes(bytes), .. } = generate(COUNT, 5, Part::Test).unwrap()
    else {
        panic!("digits are bytes")
    };
    bytes.chunks(MNIST_PIXELS).map(<[u8]>::to_vec).collect()
}

/// How much ink there is at a row and column, 0 to 1, where a digit of `side` pixels with sharp edges
/// has its corner at `(top, left)`.
fn ink_of(
    digit: &[u8],
    side: usize,
    (top, left): (usize, usize),
) -> impl Fn(usize, usize) -> f32 + use<> {
    let image = GreyImage::new(MNIST_SIDE, MNIST_SIDE, digit.to_vec()).unwrap();
    let large = to_size(&image, side, side).unwrap().into_pixels();
    move |row, column| match (row.checked_sub(top), column.checked_sub(left)) {
        (Some(row), Some(column)) if row < side && column < side => {
            ((f32::from(large[row * side + column]) / 255.0 - 0.35) / 0.3).clamp(0.0, 1.0)
        }
        _ => 0.0,
    }
}

fn drawn(height: usize, width: usize, shade: impl Fn(usize, usize) -> f32) -> GreyImage {
    let at = |at: usize| shade(at / width, at % width).clamp(0.0, 255.0) as u8;
    GreyImage::new(height, width, (0..height * width).map(at).collect()).unwrap()
}

/// Grain of the paper, between -1 and 1.
fn grain(row: usize, column: usize) -> f32 {
    let mixed = (row * 7919) as u32 ^ (column * 104_729) as u32;
    let mixed = (mixed ^ mixed >> 13).wrapping_mul(2_654_435_761);
    (mixed >> 16 & 0xff) as f32 / 127.5 - 1.0
}

fn difference(one: &[u8], other: &[u8]) -> u64 {
    one.iter().zip(other).map(|(one, other)| u64::from(one.abs_diff(*other))).sum()
}

/// Draws every digit, reads it, and checks that nearly all are read right.
#[track_caller]
fn assert_read(draw: impl Fn(&[u8], usize) -> GreyImage) {
    let digits = digits();
    let nearest = |form: &[u8]| (0..COUNT).min_by_key(|&at| difference(form, &digits[at])).unwrap();
    let read = |at: &usize| {
        to_mnist_form(&draw(&digits[*at], *at)).is_ok_and(|form| nearest(&form) == *at)
    };
    let wrong: Vec<usize> = (0..COUNT).filter(|at| !read(at)).collect();
    assert!(wrong.len() <= 2, "not read: {wrong:?} of {COUNT}");
}

/// A photo on paper of the given shade, with a digit in its middle whose ink takes away a share of the
/// light.
fn photo(digit: &[u8], share: f32, paper: impl Fn(usize, usize) -> f32) -> GreyImage {
    let ink = ink_of(digit, 130, (52, 98));
    drawn(HEIGHT, WIDTH, |row, column| {
        paper(row, column) * (1.0 - share * ink(row, column)) + 3.0 * grain(row, column)
    })
}

/// From 0 to 1 over `soft` pixels around 0.
fn step(distance: f32, soft: f32) -> f32 {
    (distance / soft + 0.5).clamp(0.0, 1.0)
}

#[test]
fn the_edge_of_a_shadow() {
    for soft in [2.0, 12.0] {
        assert_read(|digit, at| {
            photo(digit, 0.7, |row, column| {
                let across = column as f32 + (at as f32 / 20.0 - 0.7) * row as f32 - 150.0;
                110.0 + 100.0 * step(across, soft)
            })
        });
    }
}

#[test]
fn the_shadow_of_a_hand() {
    assert_read(|digit, at| {
        photo(digit, 0.75, |row, column| {
            let y = (row as f32 - 230.0) / 110.0;
            let x = (column as f32 - 60.0 - 5.0 * at as f32) / 90.0;
            220.0 - 90.0 * step(1.0 - (x * x + y * y).sqrt(), 0.15)
        })
    });
}

#[test]
fn pencil_light_from_one_side_and_dark_corners() {
    assert_read(|digit, _| photo(digit, 0.3, |_, _| 225.0));
    assert_read(|digit, _| photo(digit, 0.7, |_, column| 210.0 - 0.3 * column as f32));
    assert_read(|digit, _| {
        photo(digit, 0.7, |row, column| {
            let (y, x) = (row as f32 / 120.0 - 1.0, column as f32 / 160.0 - 1.0);
            230.0 - 35.0 * (x * x + y * y)
        })
    });
}

#[test]
fn chalk_in_light_and_shade() {
    assert_read(|digit, _| {
        let ink = ink_of(digit, 130, (52, 98));
        drawn(HEIGHT, WIDTH, |row, column| {
            let board = 45.0 + 30.0 * step(column as f32 - 160.0, 6.0);
            board * (1.0 + 1.8 * ink(row, column)) + 2.0 * grain(row, column)
        })
    });
}

#[test]
fn the_dark_frame_of_a_scan_and_the_table_beside_the_page() {
    assert_read(|digit, at| {
        photo(digit, 0.8, |row, column| {
            let near = row.min(column).min(HEIGHT - 1 - row).min(WIDTH - 1 - column);
            if near < 3 + at % 12 { 20.0 } else { 240.0 }
        })
    });
    assert_read(|digit, at| {
        photo(digit, 0.8, |row, column| {
            let edge = 20.0 + 2.0 * at as f32 + 0.05 * row as f32;
            if (column as f32) < edge { 70.0 } else { 235.0 }
        })
    });
    // The whole page on a table.
    assert_read(|digit, _| {
        photo(digit, 0.8, |row, column| {
            let inside = (14..226).contains(&row) && (20..290).contains(&(column + row / 20));
            if inside { 235.0 } else { 90.0 }
        })
    });
}

#[test]
fn a_cell_of_a_form_and_a_note_on_a_table() {
    assert_read(|digit, at| {
        let ink = ink_of(digit, 150 + at, (60 - at / 2, 60 - at / 2));
        drawn(270, 270, |row, column| {
            let line = |place: usize| (20..23).contains(&place) || (247..250).contains(&place);
            let inside = |place: usize| (20..250).contains(&place);
            let lines = (line(row) && inside(column)) || (line(column) && inside(row));
            let paper: f32 = if lines { 80.0 } else { 250.0 };
            paper.min(250.0 * (1.0 - 0.85 * ink(row, column)))
        })
    });
    assert_read(|digit, _| {
        photo(digit, 0.7, |row, column| {
            let note = (25..215).contains(&row) && (70..260).contains(&column);
            if note { 195.0 } else { 100.0 }
        })
    });
}

#[test]
fn ruled_and_squared_paper() {
    assert_read(|digit, _| photo(digit, 0.8, |row, _| if row % 24 < 2 { 170.0 } else { 235.0 }));
    assert_read(|digit, _| {
        photo(digit, 0.8, |row, column| {
            let line = (row + column / 20) % 18 == 0 || column % 18 == 0;
            if line { 175.0 } else { 235.0 }
        })
    });
}

#[test]
fn ink_cropped_to_the_border() {
    for (paper, share) in [(255.0, 1.0), (60.0, -2.0)] {
        assert_read(|digit, _| {
            let ink = ink_of(digit, 150, (0, 0));
            let inked = |row: usize, column: usize| ink(row, column) > 0.5;
            let rows: Vec<usize> =
                (0..150).filter(|&row| (0..150).any(|column| inked(row, column))).collect();
            let columns: Vec<usize> =
                (0..150).filter(|&column| (0..150).any(|row| inked(row, column))).collect();
            drawn(rows.len(), columns.len(), |row, column| {
                paper * (1.0 - share * ink(rows[0] + row, columns[0] + column))
            })
        });
    }
}

#[test]
fn two_digits_are_read_from_left_to_right() {
    let digits = digits();
    for at in 0..COUNT - 1 {
        let first = ink_of(&digits[at], 110, (40, 30));
        let second = ink_of(&digits[at + 1], 120, (35, 150));
        let ink = |row, column| f32::max(first(row, column), second(row, column));
        let drawing = drawn(200, 300, |row, column| 255.0 * (1.0 - ink(row, column)));
        let photo = drawn(200, 300, |row, column| {
            200.0 * (1.0 - 0.8 * ink(row, column)) + 3.0 * grain(row, column)
        });
        for image in [drawing, photo] {
            let found = find_digits(&image).unwrap();
            assert_eq!(found.all.len(), 2, "{at}");
            let far = |one: usize, other: usize| difference(&found.all[one].pixels, &digits[other]);
            assert!(far(0, at) < far(0, at + 1) && far(1, at + 1) < far(1, at), "{at}");
            assert!(found.all.iter().all(|digit| digit.doubt.is_none()));
        }
    }
}

#[test]
fn doubts_have_a_reason() {
    let doubt = |height: usize, width: usize, shade: &dyn Fn(usize, usize) -> f32| {
        let found = find_digits(&drawn(height, width, shade)).unwrap();
        found.all[found.main].doubt.clone().unwrap_or_default()
    };
    let solid = doubt(200, 200, &|row, column| {
        if (60..140).contains(&row) && (50..130).contains(&column) { 0.0 } else { 255.0 }
    });
    assert!(solid.contains("shape"), "{solid}");
    let cut = doubt(200, 120, &|row, column| {
        if (row / 2..row / 2 + 20).contains(&column) { 0.0 } else { 255.0 }
    });
    assert!(cut.contains("border"), "{cut}");
    let ink = ink_of(&digits()[0], 130, (52, 98));
    assert_eq!(doubt(HEIGHT, WIDTH, &|row, column| 255.0 * (1.0 - ink(row, column))), "");
}
