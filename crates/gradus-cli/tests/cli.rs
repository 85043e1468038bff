//! Help and error messages of the program: they must match the files in `tests/cmd`.

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
