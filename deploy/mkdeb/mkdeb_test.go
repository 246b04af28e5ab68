package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The order of versions is dpkg's business, so dpkg is asked.
func TestVersionsAreOrderedAsTheCommits(t *testing.T) {
	first := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	inOrder := []string{
		debianVersion("", first, "f00000000000", false),
		debianVersion("", first, "f00000000000", true),
		debianVersion("", first.Add(time.Second), "a00000000000", false),
		debianVersion("v0.1.0-rc1", first.Add(time.Minute), "b00000000000", false),
		debianVersion("v0.1.0", first.Add(time.Hour), "c00000000000", false),
		debianVersion("v0.10.0", first.Add(time.Hour), "c00000000000", false),
	}
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		t.Skip("dpkg is missing: this is no Debian")
	}
	for i, v := range inOrder[1:] {
		if out, err := exec.Command(dpkg, "--compare-versions", inOrder[i], "lt", v).CombinedOutput(); err != nil {
			t.Errorf("%s does not come before %s: %v %s", inOrder[i], v, err, out)
		}
	}
}

func TestManualPagesHaveTheCommitsDate(t *testing.T) {
	at := time.Date(2026, 1, 2, 23, 4, 5, 0, time.UTC)
	got, err := dated([]byte(".TH RATINGD 8 \"\" \"Haochaping\"\n.SH NAME\n"), at)
	if want := ".TH RATINGD 8 \"2026-01-02\" \"Haochaping\"\n.SH NAME\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	for _, page := range []string{"", ".TH RATINGD 8 \"2024-01-01\" \"Haochaping\"\n", ".SH NAME\n.TH RATINGD 8 \"\" \"\"\n"} {
		if got, err := dated([]byte(page), at); err == nil {
			t.Errorf("%q becomes %q", page, got)
		}
	}
}

func TestEachPartHasALicence(t *testing.T) {
	list := `{"bomFormat":"CycloneDX","metadata":{"component":{"name":"haochaping"}},"components":[{"name":"std","type":"library"},%s]}`
	known := `{"name":"example.com/a","type":"library","licenses":[{"license":{"id":"MIT"}}]}`
	got, err := completeBOM([]byte(fmt.Sprintf(list, known)))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"bomFormat": "CycloneDX"`, ownLicence, stdLicence, fontLicence, "MIT"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
	if _, err := completeBOM([]byte(fmt.Sprintf(list, `{"name":"example.com/b","version":"v1"}`))); err == nil ||
		!strings.Contains(err.Error(), "example.com/b v1") {
		t.Errorf("a part without a licence: %v", err)
	}
}

func TestLicencesStandOnceAndWhole(t *testing.T) {
	apache := "Apache License\nVersion 2.0\nTERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION\n…\nCopyright 2019 The Authors\n…\n" +
		"   Copyright [yyyy] [name of copyright owner]"
	got := string(renderCopyright([]licence{
		{"example.com/a v1", "MIT\n\nby A"},
		{"example.com/b v1", shorten(apache)},
		{"example.com/c v1", "MIT by\nA"},
	}))
	if n := strings.Count(got, "MIT"); n != 1 || !strings.Contains(got, "example.com/a v1\nexample.com/c v1\n") {
		t.Errorf("one text stands %d times, want once after both modules:\n%s", n, got)
	}
	if strings.Contains(got, "TERMS AND CONDITIONS") || !strings.Contains(got, "/usr/share/common-licenses/Apache-2.0\n"+
		"Copyright 2019 The Authors\n") {
		t.Errorf("the Apache licence is not named with its holder:\n%s", got)
	}
	if _, err := licenceTexts(t.TempDir()); err == nil {
		t.Error("a module without a licence is taken")
	}
}
