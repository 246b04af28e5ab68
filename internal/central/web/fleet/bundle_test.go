package fleet_test

import (
	"net/url"
	"slices"
	"testing"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/descriptions"
	"haochaping/sync/wire"
)

// TestWhatABoxSendsToSupport is asked for on the page, stands there, and is handed out as an act to those who may command the box, on the
// page and by the API.
func TestWhatABoxSendsToSupport(t *testing.T) {
	w := newWorld(t)
	w.troubled(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	other := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", "629900000000")))
	const at = "/fleet/boxes/jia-b01"
	webtest.Want(t, w.get(at, hall), 200, "上传支持包", "!/bundles/")
	webtest.Want(t, w.post(at+"/commands", hall, url.Values{"name": {wire.CommandSendBundle}}), 303)
	sent := w.sentTo("jia-b01")
	if len(sent) != 1 || sent[0].Name != wire.CommandSendBundle {
		t.Fatalf("sent: %+v", sent)
	}
	content := []byte("\x1f\x8b what it packed")
	if err := w.fleet.KeepBundle(t.Context(), "jia-b01", sent[0].ID, content, w.Now()); err != nil {
		t.Fatal(err)
	}
	file := at + "/bundles/" + sent[0].ID
	webtest.Want(t, w.get(at, hall), 200, file, "1 KB")
	webtest.Want(t, w.get(file, other), 404)
	webtest.Want(t, w.get("/fleet/boxes/jia-b02/bundles/"+sent[0].ID, hall), 404)
	webtest.Want(t, w.get(at+"/bundles/f-none", hall), 404)
	got := w.get(file, hall)
	webtest.Want(t, got, 200)
	if got.Body.String() != string(content) || got.Header().Get("Content-Type") != "application/gzip" {
		t.Errorf("the page hands out %q as %v", got.Body, got.Header())
	}
	acts := 0
	entries, err := w.Journal.Read(t.Context(), 0, 1000)
	for _, e := range entries {
		if a, err := e.Act(); e.Kind == journal.Acted && err == nil && a.Do == "fleet.bundle" && a.Object == "jia-b01" && a.Domain != "" {
			acts++
		}
	}
	if err != nil || acts != 1 {
		t.Errorf("the journal has %d acts of one that was handed out, %v", acts, err)
	}

	const path = "/api/v1/boxes/{device}"
	may := []account.Action{account.SeeBoxes, account.CommandBoxes}
	program := w.Program(w.site, webtest.Grant(account.Hall, "SL-H2", "629901000000"), "", may...)
	fetcher := w.Program(w.site, webtest.Grant(account.Hall, "SL-H2", "629901000000"), "", may...) // what it gets is no JSON
	reader := w.Program(w.site, webtest.Grant(account.Hall, "SL-H2", "629901000000"), "", account.SeeBoxes)
	webtest.Want(t, program.Get(path, "/api/v1/boxes/jia-b01"), 200, sent[0].ID)
	webtest.Want(t, fetcher.Get(path+"/bundles/{command}", "/api/v1/boxes/jia-b01/bundles/"+sent[0].ID), 200, "what it packed")
	webtest.Want(t, program.Get(path+"/bundles/{command}", "/api/v1/boxes/jia-b01/bundles/f-none"), 404)
	webtest.Want(t, reader.Get(path+"/bundles/{command}", "/api/v1/boxes/jia-b01/bundles/"+sent[0].ID), 404)
	descriptions.Want(t, "../api/openapi.yaml", slices.Concat(program.Answers, reader.Answers))
}
