package central

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// owners names the room of each table. The books' tables stand in braces in SQL, since each generation has its own.
func owners() map[string]string {
	all := make(map[string]string)
	for room, tables := range map[string][]string{
		"journal": {"entry", "log", "head", "tile", "checkpoint", "seal", "secret", "lease"},
		"fleet": {"device", "device_state", "device_command", "device_seen", "device_change", "fleet_alert", "fleet_watch", "fleet_hours",
			"fleet_rollout", "fleet_rollout_box", "device_owed"},
		"books": {"books_state"},
		"deadline": {"message_stop", "silence_since", "message_request", "message_reply", "message_question", "channel_heard",
			"channel_followed"},
		"intake": {"terminal_visit", "paper_form"},
		"enrol":  {"enrol_request", "enrol_certificate", "enrol_expected", "enrol_draft", "enrol_ticket", "enrol_certify"},
		"rectify": {"rectify_order", "rectify_part", "rectify_act", "rectify_file", "rectify_choice", "rectify_feed", "rectify_told",
			"rectify_since"},
		"dossier":   {"dossier", "dossier_act"},
		"subscribe": {"figure_subscription"},
		"policy":    {"policy_document", "policy_choice", "policy_line"},
		"integrity": {"integrity_state", "integrity_log", "integrity_tally", "integrity_salt", "integrity_origin"},
		"report": {"report_state", "report_post", "report_fact", "report_seen", "report_count", "report_order", "report_name",
			"report_bundle"},
		"upward": {"upward_state", "upward_record", "upward_visit", "upward_receipt", "upward_way", "upward_total"},
		"directory": {"organisation", "organisation_state", "organisation_draft", "serving",
			"account", "account_grant", "account_recovery", "account_session", "account_token", "account_link", "account_failure"},
		// The first version's books, which are only read.
		"takeover": {"record", "fork", "proof", "evaluation"},
	} {
		for _, t := range tables {
			all[t] = room
		}
	}
	return all
}

// TestEachRoomNamesItsOwnTablesOnly reads the SQL in all packages of the centre.
func TestEachRoomNamesItsOwnTablesOnly(t *testing.T) {
	names := regexp.MustCompile(`\b(?:FROM|JOIN|INTO|UPDATE|TABLE|EXISTS)\s+(\{?[a-z_]+\}?)`)
	known := owners()
	seen := make(map[string]bool)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		room, _, _ := strings.Cut(filepath.ToSlash(path), "/")
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				return true
			}
			for _, m := range names.FindAllStringSubmatch(text, -1) {
				table := m[1]
				if strings.HasPrefix(table, "{") {
					seen["books"] = true
					if room != "books" {
						t.Errorf("%s: %s is the books' table", path, table)
					}
					continue
				}
				owner, ok := known[table]
				if !ok {
					continue // words that follow such a word in a sentence
				}
				seen[owner] = true
				if owner != room && (room != "takeover" || !slices.Contains([]string{"device", "log"}, table)) {
					t.Errorf("%s: %s is the table of %s", path, table, owner)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []string{"journal", "fleet", "books", "directory", "enrol", "rectify", "report", "upward", "policy", "takeover"} {
		if !seen[room] {
			t.Errorf("no SQL of %s was found, so nothing was proven", room)
		}
	}
}
