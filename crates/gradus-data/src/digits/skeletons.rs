//! The digits' skeletons: the ways in which people write each digit, as pen strokes.
//!
//! Out: the variants of a digit. A variant is a list of strokes, and a stroke a list of knots; y runs
//! down from 0 to 1, x from 0 to about 0.7. Similar digits differ by construction: the serif of a 1 is
//! short and steep, but the bar of a 7 is long and level; a 4 has corners or a wide gap at its top, but
//! a 9 a round closed loop.

/// A point through which the pen passes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Knot {
    pub(super) x: f32,
    pub(super) y: f32,
    /// Whether the pen turns sharply here; otherwise its path is smooth.
    pub(super) corner: bool,
}

/// One way of writing a digit: its strokes in the order of writing.
pub(super) type Variant = &'static [&'static [Knot]];

/// A knot at which the path is smooth.
const fn s(x: f32, y: f32) -> Knot {
    Knot { x, y, corner: false }
}

/// A knot at which the pen turns sharply.
const fn c(x: f32, y: f32) -> Knot {
    Knot { x, y, corner: true }
}

/// The variants of each digit; all variants of a digit are equally likely.
pub(super) const VARIANTS: [&[Variant]; 10] =
    [ZERO, ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, EIGHT, NINE];

const ZERO: &[Variant] = &[
    // Round.
    &[&[
        s(0.40, 0.02),
        s(0.12, 0.18),
        s(0.02, 0.54),
        s(0.16, 0.90),
        s(0.40, 0.98),
        s(0.62, 0.78),
        s(0.68, 0.42),
        s(0.54, 0.08),
        s(0.34, 0.02),
    ]],
    // Narrow.
    &[&[
        s(0.36, 0.00),
        s(0.16, 0.24),
        s(0.10, 0.60),
        s(0.22, 0.95),
        s(0.40, 0.96),
        s(0.54, 0.68),
        s(0.54, 0.30),
        s(0.42, 0.02),
        s(0.30, 0.04),
    ]],
    // Begun at the right, the end running into the loop.
    &[&[
        s(0.54, 0.04),
        s(0.24, 0.08),
        s(0.04, 0.46),
        s(0.14, 0.90),
        s(0.42, 0.97),
        s(0.66, 0.66),
        s(0.62, 0.26),
        s(0.42, 0.06),
        s(0.24, 0.14),
    ]],
];

const ONE: &[Variant] = &[
    // A plain stroke.
    &[&[c(0.36, 0.00), c(0.34, 0.50), c(0.32, 1.00)]],
    // Slightly bent.
    &[&[s(0.38, 0.00), s(0.33, 0.35), s(0.33, 0.70), s(0.37, 1.00)]],
    // With a serif.
    &[&[c(0.27, 0.19), c(0.38, 0.00), c(0.38, 0.50), c(0.37, 1.00)]],
    // With a serif and a base.
    &[&[c(0.26, 0.19), c(0.37, 0.01), c(0.36, 0.98)], &[c(0.12, 0.99), c(0.60, 0.97)]],
];

const TWO: &[Variant] = &[
    // A sharp turn at the lower left.
    &[&[
        s(0.06, 0.24),
        s(0.24, 0.03),
        s(0.52, 0.08),
        s(0.56, 0.34),
        s(0.34, 0.66),
        c(0.05, 0.97),
        c(0.36, 0.95),
        c(0.68, 0.96),
    ]],
    // A loop at the lower left.
    &[&[
        s(0.08, 0.20),
        s(0.30, 0.01),
        s(0.56, 0.14),
        s(0.50, 0.48),
        s(0.26, 0.88),
        s(0.08, 0.96),
        s(0.04, 0.82),
        s(0.22, 0.78),
        s(0.46, 0.93),
        s(0.70, 0.92),
    ]],
    // A swan's neck and a swung base.
    &[&[
        s(0.10, 0.28),
        s(0.16, 0.06),
        s(0.40, 0.00),
        s(0.56, 0.20),
        s(0.44, 0.54),
        s(0.20, 0.84),
        c(0.04, 0.96),
        s(0.26, 0.88),
        s(0.46, 0.98),
        s(0.70, 0.90),
    ]],
];

const THREE: &[Variant] = &[
    // Two bows with a point between.
    &[&[
        s(0.08, 0.14),
        s(0.30, 0.01),
        s(0.54, 0.14),
        s(0.46, 0.38),
        c(0.24, 0.46),
        s(0.54, 0.54),
        s(0.62, 0.78),
        s(0.36, 0.99),
        s(0.04, 0.88),
    ]],
    // A level top and a slanting stroke.
    &[&[
        c(0.08, 0.04),
        c(0.56, 0.02),
        c(0.26, 0.38),
        s(0.54, 0.48),
        s(0.62, 0.76),
        s(0.38, 0.98),
        s(0.04, 0.90),
    ]],
    // A small loop between the bows.
    &[&[
        s(0.06, 0.12),
        s(0.32, 0.00),
        s(0.52, 0.18),
        s(0.38, 0.42),
        s(0.22, 0.50),
        s(0.28, 0.42),
        s(0.52, 0.54),
        s(0.58, 0.80),
        s(0.32, 1.00),
        s(0.02, 0.90),
    ]],
];

const FOUR: &[Variant] = &[
    // Open, two strokes with corners.
    &[
        &[c(0.20, 0.02), c(0.06, 0.54), c(0.36, 0.55), c(0.66, 0.52)],
        &[c(0.54, 0.06), c(0.50, 0.54), c(0.46, 1.00)],
    ],
    // Closed: a triangle on a stem.
    &[&[c(0.66, 0.64), c(0.04, 0.66), c(0.28, 0.32), c(0.50, 0.00), c(0.49, 0.50), c(0.48, 1.00)]],
    // Open and rounded like a u.
    &[
        &[s(0.12, 0.04), s(0.06, 0.34), s(0.22, 0.52), s(0.56, 0.44)],
        &[c(0.60, 0.00), c(0.56, 0.50), c(0.52, 1.00)],
    ],
    // Open, with a short stem.
    &[
        &[c(0.26, 0.00), c(0.04, 0.62), c(0.36, 0.62), c(0.68, 0.60)],
        &[c(0.50, 0.28), c(0.47, 0.64), c(0.44, 1.00)],
    ],
];

const FIVE: &[Variant] = &[
    // One stroke, begun at the upper right.
    &[&[
        c(0.64, 0.02),
        c(0.20, 0.04),
        c(0.14, 0.42),
        s(0.40, 0.38),
        s(0.60, 0.60),
        s(0.50, 0.92),
        s(0.24, 0.99),
        s(0.03, 0.88),
    ]],
    // The top bar drawn last, slightly apart.
    &[
        &[c(0.18, 0.08), c(0.12, 0.46), s(0.38, 0.40), s(0.56, 0.64), s(0.42, 0.95), s(0.04, 0.92)],
        &[c(0.22, 0.05), c(0.66, 0.01)],
    ],
    // Rounded, nearly an s.
    &[&[
        s(0.64, 0.02),
        s(0.34, 0.05),
        s(0.17, 0.20),
        s(0.24, 0.40),
        s(0.48, 0.54),
        s(0.54, 0.80),
        s(0.32, 0.98),
        s(0.04, 0.92),
    ]],
];

const SIX: &[Variant] = &[
    // A curved tail.
    &[&[
        s(0.52, 0.01),
        s(0.24, 0.20),
        s(0.07, 0.60),
        s(0.18, 0.95),
        s(0.46, 0.94),
        s(0.58, 0.70),
        s(0.42, 0.52),
        s(0.18, 0.62),
        s(0.09, 0.80),
    ]],
    // A straight tail.
    &[&[
        s(0.46, 0.00),
        s(0.26, 0.32),
        s(0.08, 0.68),
        s(0.18, 0.96),
        s(0.46, 0.95),
        s(0.56, 0.74),
        s(0.38, 0.58),
        s(0.14, 0.72),
    ]],
    // Upright with a small loop.
    &[&[
        s(0.30, 0.00),
        s(0.14, 0.34),
        s(0.10, 0.74),
        s(0.26, 0.99),
        s(0.48, 0.90),
        s(0.50, 0.70),
        s(0.34, 0.60),
        s(0.14, 0.76),
    ]],
];

const SEVEN: &[Variant] = &[
    // Two straight strokes.
    &[&[c(0.04, 0.05), c(0.34, 0.04), c(0.64, 0.03), c(0.44, 0.52), c(0.28, 1.00)]],
    // With a bar.
    &[
        &[c(0.04, 0.04), c(0.34, 0.04), c(0.64, 0.03), c(0.44, 0.50), c(0.28, 1.00)],
        &[c(0.20, 0.54), c(0.60, 0.50)],
    ],
    // A serif at the left, the stem swung.
    &[&[c(0.04, 0.20), c(0.06, 0.05), c(0.62, 0.04), s(0.42, 0.40), s(0.34, 0.70), s(0.32, 1.00)]],
    // Rounded at the upper right.
    &[&[s(0.02, 0.12), s(0.28, 0.05), s(0.58, 0.06), s(0.54, 0.32), s(0.36, 0.68), s(0.24, 1.00)]],
];

const EIGHT: &[Variant] = &[
    // One stroke, begun like an s.
    &[&[
        s(0.54, 0.12),
        s(0.34, 0.01),
        s(0.12, 0.18),
        s(0.30, 0.44),
        s(0.56, 0.70),
        s(0.40, 0.98),
        s(0.12, 0.86),
        s(0.22, 0.58),
        s(0.48, 0.32),
        s(0.52, 0.10),
    ]],
    // Two circles.
    &[
        &[s(0.34, 0.02), s(0.14, 0.22), s(0.30, 0.44), s(0.52, 0.26), s(0.42, 0.04), s(0.30, 0.02)],
        &[s(0.32, 0.45), s(0.08, 0.70), s(0.26, 0.98), s(0.54, 0.86), s(0.54, 0.58), s(0.34, 0.45)],
    ],
    // Slim, the upper loop left open at the right.
    &[&[
        s(0.52, 0.18),
        s(0.42, 0.01),
        s(0.22, 0.16),
        s(0.32, 0.46),
        s(0.46, 0.76),
        s(0.32, 0.99),
        s(0.16, 0.78),
        s(0.34, 0.48),
        s(0.58, 0.20),
    ]],
];

const NINE: &[Variant] = &[
    // A loop and a curved stem.
    &[&[
        s(0.54, 0.18),
        s(0.34, 0.02),
        s(0.10, 0.20),
        s(0.20, 0.46),
        s(0.44, 0.40),
        s(0.54, 0.14),
        s(0.54, 0.50),
        s(0.42, 1.00),
    ]],
    // A loop and a straight stem.
    &[&[
        s(0.50, 0.10),
        s(0.28, 0.02),
        s(0.08, 0.26),
        s(0.24, 0.48),
        s(0.46, 0.32),
        c(0.52, 0.06),
        c(0.47, 0.50),
        c(0.42, 1.00),
    ]],
    // The stem ends in a hook.
    &[&[
        s(0.54, 0.14),
        s(0.32, 0.01),
        s(0.10, 0.22),
        s(0.24, 0.46),
        s(0.48, 0.34),
        s(0.55, 0.12),
        s(0.56, 0.60),
        s(0.44, 0.95),
        s(0.12, 0.92),
    ]],
];
