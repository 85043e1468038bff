//! The columns of a table in C: raw columns to inputs, and the layer of columns that embeds inputs.
//!
//! In: a schema, or a layer of columns. Out: the text of types and functions.

use std::fmt::Write;

use super::text::{array, comment, float, identifier_of_column, literal};
use crate::classifier::Model;
use crate::model_file::raw_table::{TextCodes, column_names, gap_spellings};
use crate::network::{Column, ColumnLayer, Network, NumericEmbedding};
use crate::transform::columns::{Scale, Schema, SchemaColumn, TimePart};
use crate::transform::robust::CLIP;

/// The struct of a row of raw values.
pub(super) fn row(model: &Model, schema: &Schema, name: &str) -> String {
    let (fields, titles) = (fields(model), column_names(model, str::to_owned));
    let mut text = format!(
        "/* A row of raw values. A gap is NAN, NULL or an empty text, or {name}_GAP. */\n\
         #define {name}_GAP (-9223372036854775807LL - 1)\n\
         typedef struct {{\n"
    );
    for ((column, field), title) in schema.columns().iter().zip(&fields).zip(&titles) {
        let (kind, what) = match column {
            SchemaColumn::Number(_) => ("double ", "a number"),
            SchemaColumn::Category { .. } => ("const char *", "text"),
            SchemaColumn::Time { .. } => ("long long ", "seconds since 1970-01-01 00:00"),
            SchemaColumn::Dropped { .. } => continue,
        };
        let _ = writeln!(text, "    {kind}{field}; /* {}: {what} */", comment(title));
    }
    text + &format!("}} {name}_row;\n")
}

/// The fields of the struct: the names of the columns as C allows them.
fn fields(model: &Model) -> Vec<String> {
    column_names(model, identifier_of_column)
}

/// The function that makes the network's inputs of a row, and what it needs.
pub(super) fn encoding(model: &Model, schema: &Schema, name: &str) -> String {
    let (fields, gaps) = (fields(model), gap_spellings(model));
    let (mut tables, mut body) = (String::new(), String::new());
    let has = |wanted: fn(&SchemaColumn) -> bool| schema.columns().iter().any(wanted);
    let mut text = String::from(SCALED);
    if has(is_clipped) {
        text += &CLIPPED.replace("BOUND", &float(CLIP));
    }
    if has(|it| matches!(it, SchemaColumn::Category { .. })) {
        text += FIND;
    }
    if has(|it| matches!(it, SchemaColumn::Number(number) if number.has_code())) {
        text += FIND_NUMBER;
    }
    if has(|it| matches!(it, SchemaColumn::Time { .. })) {
        text += &CALENDAR.replace("NAME", name);
    }
    for (at, (column, field)) in schema.columns().iter().zip(&fields).enumerate() {
        match column {
            SchemaColumn::Number(number) => {
                let value = scaled(&format!("row->{field}"), &number.scale);
                let _ = writeln!(
                    body,
                    "    *x++ = isnan(row->{field}) ? {} : {value};",
                    float(number.scale.fill)
                );
                if number.gaps {
                    let _ = writeln!(body, "    *x++ = isnan(row->{field}) ? 1.0f : 0.0f;");
                }
                if number.has_code() {
                    let values = number.values.iter().map(|value| format!("{value:?}"));
                    array(&mut tables, &format!("static const double value_{at}"), values);
                    let count = number.values.len();
                    let _ =
                        writeln!(body, "    *x++ = place_of(row->{field}, value_{at}, {count});");
                }
            }
            SchemaColumn::Category { values, form, .. } => {
                let TextCodes { mut known, other, flags } = TextCodes::new(values, *form, &gaps);
                // In the order of their bytes, for the search.
                known.sort_unstable_by_key(|(text, _)| *text);
                let literals = known.iter().map(|(text, _)| literal(text));
                array(&mut tables, &format!("static const char *const text_{at}"), literals);
                let codes = known.iter().map(|(_, code)| float(*code));
                array(&mut tables, &format!("static const float code_{at}"), codes);
                let count = known.len();
                let _ = writeln!(
                    body,
                    "    code = code_of(row->{field}, text_{at}, code_{at}, {count}, {});",
                    float(other)
                );
                let _ = match flags {
                    0 => writeln!(body, "    *x++ = code;"),
                    flags => writeln!(
                        body,
                        "    for (i = 1; i <= {flags}; i++)\n        *x++ = code == (float)i ? 1.0f : 0.0f;"
                    ),
                };
            }
            SchemaColumn::Time { parts, gaps, .. } if !parts.is_empty() || *gaps => {
                let _ = writeln!(body, "    time = time_of(row->{field});");
                for part in parts {
                    let value = scaled(part_of(part.part), &part.scale);
                    let fill = float(part.scale.fill);
                    let _ = writeln!(body, "    *x++ = time.is_gap ? {fill} : {value};");
                }
                if *gaps {
                    let _ = writeln!(body, "    *x++ = time.is_gap ? 1.0f : 0.0f;");
                }
            }
            SchemaColumn::Time { .. } | SchemaColumn::Dropped { .. } => {}
        }
    }
    let mut locals = String::new();
    if body.contains("code = ") {
        locals += "    float code;\n";
    }
    if body.contains("for (i") {
        locals += "    int i;\n";
    }
    if body.contains("time = ") {
        locals += "    parts time;\n";
    }
    let front = "/* The inputs of the network for a row. */\nstatic void encode";
    format!("{text}{tables}{front}(const {name}_row *row, float *x)\n{{\n{locals}{body}}}\n")
}

fn is_clipped(column: &SchemaColumn) -> bool {
    match column {
        SchemaColumn::Number(number) => number.scale.clip,
        SchemaColumn::Time { parts, .. } => parts.iter().any(|part| part.scale.clip),
        SchemaColumn::Category { .. } | SchemaColumn::Dropped { .. } => false,
    }
}

/// A number on its scale.
fn scaled(value: &str, scale: &Scale) -> String {
    let Scale { mean, deviation, clip, .. } = scale;
    let scaled = format!("scaled({value}, {mean:?}, {})", float(*deviation));
    if *clip { format!("clipped({scaled})") } else { scaled }
}

/// A part of the local variable `time`.
fn part_of(part: TimePart) -> &'static str {
    match part {
        TimePart::Year => "(double)time.year",
        TimePart::Month => "(double)time.month",
        TimePart::Weekday => "(double)((time.days % 7 + 10) % 7)",
        TimePart::DaySine => "sin(6.283185307179586 * (double)time.day / 365.25)",
        TimePart::DayCosine => "cos(6.283185307179586 * (double)time.day / 365.25)",
        TimePart::Elapsed => "(double)time.days + (double)time.in_day / 86400.0",
        TimePart::Hour => "(double)time.in_day / 3600.0",
    }
}

/// A number on its scale: a macro, because not every schema has numbers, and an unused function is a warning.
const SCALED: &str = "\
/* (x - mean) / deviation */
#define scaled(x, mean, deviation) ((float)((x) - (mean)) / (deviation))

";

/// The smooth clip.
const CLIPPED: &str = "\
/* x / sqrt(1 + (x / 3)^2) */
static float clipped(float x)
{
    const float part = x / BOUND;
    if (part > 1e9f || part < -1e9f)
        return x > 0.0f ? BOUND : -BOUND;
    return x / sqrtf(1.0f + part * part);
}

";

/// The search for a text.
const FIND: &str = "\
/* The number that stands for a text; texts are in the order of their bytes. */
static float code_of(const char *text, const char *const *texts, const float *codes, int count, float other)
{
    int low = 0, high = count;
    if (!text || !*text)
        return 0.0f;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        const unsigned char *a = (const unsigned char *)text, *b = (const unsigned char *)texts[middle];
        while (*a && *a == *b)
            a++, b++;
        if (*a == *b)
            return codes[middle];
        if (*a < *b)
            high = middle;
        else
            low = middle + 1;
    }
    return other;
}

";

/// The search for a number.
const FIND_NUMBER: &str = "\
/* The place of a number among values in ascending order, from 1; 0 for any other, and for a gap. */
static float place_of(double number, const double *values, int count)
{
    int low = 0, high = count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (number == values[middle])
            return (float)(middle + 1);
        if (number < values[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return 0.0f;
}

";

/// The parts of a time.
const CALENDAR: &str = "\
typedef struct {
    int is_gap;
    long long days, in_day, year, month, day;
} parts;

/* The parts of a time in the Gregorian calendar; day 0 is the first of January. */
static parts time_of(long long seconds)
{
    parts time;
    long long era, of_era, of_year, march, shifted;
    int leap;
    time.is_gap = seconds == NAME_GAP;
    if (time.is_gap)
        seconds = 0;
    time.in_day = (seconds % 86400 + 86400) % 86400;
    time.days = (seconds - time.in_day) / 86400;
    /* Years are counted from March, in eras of 400 years. */
    shifted = time.days + 719468;
    of_era = (shifted % 146097 + 146097) % 146097;
    era = (shifted - of_era) / 146097;
    time.year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    leap = time.year % 4 == 0 && (time.year % 100 != 0 || time.year == 0);
    of_year = of_era - (365 * time.year + time.year / 4 - time.year / 100);
    march = (5 * of_year + 2) / 153;
    time.month = (march + 2) % 12 + 1;
    time.day = time.month < 3 ? of_year - 306 : of_year + 59 + leap;
    time.year += era * 400 + (time.month < 3);
    return time;
}

";

/// The function that embeds the inputs, and its parameters; their names begin with `member`.
pub(super) fn embedding(network: &Network, layer: &ColumnLayer, member: &str) -> String {
    let mut text = String::new();
    for tensor in network.tensors() {
        let Some(name) = tensor.name.strip_prefix("0.") else { continue };
        let values = network.parameters()[tensor.range].iter().map(|&value| float(value));
        array(&mut text, &format!("static const float {member}{name}"), values);
    }
    let mut body = String::new();
    let (mut number, mut first) = (0, 0);
    let embeds = layer.numeric() != NumericEmbedding::None;
    for (at, column) in layer.columns().iter().enumerate() {
        let _ = match column {
            Column::Number if embeds => {
                number += 1;
                writeln!(body, "    z = {member}number(x[{at}], {}, z);", number - 1)
            }
            Column::Number | Column::Flag => writeln!(body, "    *z++ = x[{at}];"),
            Column::Category(size) => {
                first += size + 1;
                writeln!(
                    body,
                    "    z = {member}category(x[{at}], {size}, {}L, z);",
                    first - size - 1
                )
            }
        };
    }
    if number > 0 {
        let (function, size, outputs) = match layer.numeric() {
            NumericEmbedding::None => ("", 0, 0),
            NumericEmbedding::Pbld { frequencies, outputs, .. } => (PERIODIC, frequencies, outputs),
            NumericEmbedding::Ple { bins, outputs } => (PIECEWISE, bins, outputs),
        };
        let values = function
            .replace("SIZE", &size.to_string())
            .replace("OUTPUTS", &outputs.to_string())
            .replace("MEMBER_", member);
        text += &values;
    }
    if first > 0 {
        let outputs = layer.category_outputs().to_string();
        text += &CATEGORY.replace("OUTPUTS", &outputs).replace("MEMBER_", member);
    }
    let front = "/* The inputs of the first layer, of those of the network. */\nstatic void";
    format!("{text}{front} {member}embed(const float *x, float *z)\n{{\n{body}}}\n")
}

/// A number as a linear map of cosines, and the number itself.
const PERIODIC: &str = "\
static float *MEMBER_number(float x, int number, float *z)
{
    float cosine[SIZE];
    int j, k;
    for (k = 0; k < SIZE; k++) {
        const float turns = MEMBER_phase[number * SIZE + k] * 0.15915494f
                            + x * MEMBER_frequency[number * SIZE + k];
        cosine[k] = cosf(6.2831855f * (turns - roundf(turns)));
    }
    for (j = 0; j < OUTPUTS; j++) {
        float sum = MEMBER_mix_bias[number * OUTPUTS + j];
        for (k = 0; k < SIZE; k++)
            sum += cosine[k] * MEMBER_mix[(number * SIZE + k) * OUTPUTS + j];
        *z++ = sum;
    }
    *z++ = x;
    return z;
}

";

/// A number as lines that bend at the edges of bins. Bins without width stand at the end, and are not used.
const PIECEWISE: &str = "\
static float *MEMBER_number(float x, int number, float *z)
{
    const float *edges = MEMBER_edge + number * (SIZE + 1);
    const float *rises = MEMBER_rise + number * SIZE * OUTPUTS;
    int used = 0, bin = 0, j, t;
    while (used < SIZE && edges[used] < edges[SIZE])
        used++;
    while (bin + 1 < used && edges[bin + 1] <= x)
        bin++;
    for (j = 0; j < OUTPUTS; j++) {
        float sum = 0.0f;
        for (t = 0; t < bin; t++)
            sum += rises[t * OUTPUTS + j];
        if (used > 0)
            sum += (x - edges[bin]) / (edges[bin + 1] - edges[bin]) * rises[bin * OUTPUTS + j];
        *z++ = MEMBER_offset[number * OUTPUTS + j] + MEMBER_slope[number * OUTPUTS + j] * x + sum;
    }
    return z;
}

";

/// The row of a category in the tables.
const CATEGORY: &str = "\
static float *MEMBER_category(float x, int size, long first, float *z)
{
    const int is_known = x >= 1.0f && x <= (float)size && x == floorf(x);
    const float *row = MEMBER_embedding + (first + (is_known ? (long)x : 0)) * OUTPUTS;
    int i;
    for (i = 0; i < OUTPUTS; i++)
        *z++ = row[i];
    return z;
}

";

/// The statements by which the program that tries the file reads a row: fields between tabs, in the order of the columns.
pub(super) fn reading(model: &Model, schema: &Schema, name: &str) -> String {
    let mut text = String::new();
    for (column, field) in schema.columns().iter().zip(fields(model)) {
        let value = match column {
            SchemaColumn::Number(_) => "*field ? strtod(field, NULL) : NAN".to_owned(),
            SchemaColumn::Category { .. } => "*field ? field : NULL".to_owned(),
            SchemaColumn::Time { .. } => {
                format!("*field ? strtoll(field, NULL, 10) : {name}_GAP")
            }
            SchemaColumn::Dropped { .. } => continue,
        };
        let _ =
            writeln!(text, "        field = next_field(&rest);\n        row.{field} = {value};");
    }
    text
}
