//! The words of the program: its help and its errors, as they stand in `tests/cmd`.

#[test]
fn help_and_errors() {
    trycmd::TestCases::new()
        .case("tests/cmd/*.trycmd")
        .env("COLUMNS", "100")
        .env("HOME", "/nowhere")
        .env("XDG_CACHE_HOME", "/nowhere/cache")
        .env("GRADUS_DATA", "")
        .env("KERAS_HOME", "");
}
