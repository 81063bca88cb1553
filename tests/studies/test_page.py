from studies.page import make_command, replace_section, without_options

BEGIN = "<!-- results: kodak: begin; written by make results -->"
END = "<!-- results: kodak: end -->"


def test_a_recorded_command_names_no_place_of_a_machine() -> None:
    arguments = ["--data", "/a/b", "--levels", "0", "5", "--docs=/c", "--report", "--steps=3"]
    words = make_command("effort", without_options(arguments, ("--data", "--docs", "--report")))
    assert words == ["make", "effort", "ARGS=--levels 0 5 --steps=3"]


def test_the_rest_of_the_page_stays() -> None:
    page = replace_section("# Results\n\nfirst\n", "results: kodak", "one")
    assert page == f"# Results\n\nfirst\n\n{BEGIN}\none\n{END}\n"
    longer = replace_section(page, "results: ood", "beside") + "\n## Last\n"
    assert replace_section(longer, "results: kodak", "two") == longer.replace("one", "two")


def test_the_study_s_section_keeps_its_markers() -> None:
    page = "<!-- regularizer-study: begin; written by make regularizer-study -->\nold\n"
    page += "<!-- regularizer-study: end -->\n"
    assert replace_section(page, "regularizer-study", "new") == page.replace("old", "new")
