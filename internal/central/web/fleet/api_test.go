package fleet_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/descriptions"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// TestAPI reads by tokens what the pages show: each has the boxes and alerts of its owner, within its area. Each answer is as the
// description has it.
func TestAPI(t *testing.T) {
	w := newWorld(t)
	w.troubled(t)
	w.alarm(t)
	atlas, err := w.directory.Atlas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	type named struct {
		Device rating.DeviceID
		Hall   string
		State  fleet.Standing
	}
	var answers []descriptions.Answer
	alerts := make(map[string]int)
	for _, x := range []struct {
		grant account.Grant
		bound string
		with  account.Grant // what the bound comes to
	}{
		{webtest.Grant(account.Province, "620000000000", "620000000000"), "", webtest.Grant(account.Province, "620000000000", "620000000000")},
		{webtest.Grant(account.City, "629900000000", "629900000000"), "629901000000",
			webtest.Grant(account.County, "629901000000", "629901000000")},
		{webtest.Grant(account.Hall, "SL-H1", "629900000000"), "", webtest.Grant(account.Hall, "SL-H1", "629900000000")},
		{webtest.Grant(account.Technician, "629902000000", "629902000000"), "",
			webtest.Grant(account.Technician, "629902000000", "629902000000")},
		{webtest.Grant(account.Auditor, "629900000000", "629900000000"), "", webtest.Grant(account.Auditor, "629900000000", "629900000000")},
	} {
		p := w.Program(w.site, x.grant, x.bound, account.SeeBoxes)
		who := fmt.Sprintf("%s of %s within %q", x.grant.Role, x.grant.Scope, x.bound)
		var want, sick []rating.DeviceID
		outside := rating.DeviceID("none")
		for _, b := range boxes() {
			at := scope.At(atlas, b.id, rating.Window{ID: b.window, Generation: 1}, w.Now())
			if !account.May(account.Person{Account: "a", Grants: []account.Grant{x.with}, At: w.Now().UnixMilli(), Second: true}, account.SeeBoxes,
				at) {
				outside = b.id
				webtest.Want(t, p.Get("/api/v1/boxes/{device}", "/api/v1/boxes/"+string(b.id)), 404)
				continue
			}
			want = append(want, b.id)
			s, err := w.fleet.State(t.Context(), b.id)
			if err != nil {
				t.Fatal(err)
			}
			if s.Standing(w.Now()).Sick() {
				sick = append(sick, b.id)
			}
			webtest.Want(t, p.Get("/api/v1/boxes/{device}", "/api/v1/boxes/"+string(b.id)), 200, `"generation": 1`, `"changes": [`, "!idle")
		}
		there, missing := p.Get("/api/v1/boxes/{device}", "/api/v1/boxes/"+string(outside)), p.Get("/api/v1/boxes/{device}", "/api/v1/boxes/none")
		if there.Body.String() != missing.Body.String() {
			t.Errorf("%s: what lies outside is answered with %s, nothing with %s", who, there.Body, missing.Body)
		}
		devices := func(query string) (all []rating.DeviceID) {
			t.Helper()
			for _, b := range webtest.All[named](t, p, "/api/v1/boxes", query) {
				all = append(all, b.Device)
			}
			slices.Sort(all)
			return all
		}
		slices.Sort(want)
		slices.Sort(sick)
		if got := devices(""); len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s has the boxes %q, want %q", who, got, want)
		}
		if got := devices("&state=sick"); !slices.Equal(got, sick) {
			t.Errorf("%s has the sick boxes %q, want %q", who, got, sick)
		}
		for _, b := range webtest.All[named](t, p, "/api/v1/boxes", "&hall=SL-H2") {
			if b.Hall != "SL-H2" {
				t.Errorf("%s asks for SL-H2 and has %s of %s", who, b.Device, b.Hall)
			}
		}
		// No part, and no cursor, names what lies outside.
		webtest.Want(t, p.Get("/api/v1/boxes", "/api/v1/boxes?limit=1"), 200, "!"+string(outside))
		for _, a := range webtest.All[struct{ ID, Device, Hall, Area string }](t, p, "/api/v1/alerts", "") {
			alerts[who]++
			o := account.Object{Area: a.Area, Hall: a.Hall}
			if !account.May(account.Person{Account: "a", Grants: []account.Grant{x.with}, At: w.Now().UnixMilli(), Second: true}, account.SeeBoxes,
				o) {
				t.Errorf("%s has an alert of %s", who, a.Hall)
			}
		}
		all, err := w.fleet.Alerts(t.Context(), fleet.AlertsIn{Areas: []fleet.Codes{{}, {First: "0", Last: "9"}}, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		sees := 0
		for _, a := range all {
			if account.May(account.Person{Account: "a", Grants: []account.Grant{x.with}, At: w.Now().UnixMilli(), Second: true}, account.SeeBoxes,
				account.Object{Area: a.Area, Hall: a.Hall}) {
				sees++
			}
		}
		if sees != alerts[who] {
			t.Errorf("%s has %d alerts by parts, want %d", who, alerts[who], sees)
		}
		for _, path := range []string{"/api/v1/boxes?state=broken", "/api/v1/boxes?limit=0", "/api/v1/boxes?area=62",
			"/api/v1/alerts?state=open"} {
			webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", path, w.SignIn(w.Add(x.grant)), nil)), 400, `"code": "invalid"`)
		}
		answers = append(answers, p.Answers...)
	}
	none := w.Program(w.site, webtest.Grant(account.City, "629900000000", "629900000000"), "", account.SeeDirectory)
	webtest.Want(t, none.Get("/api/v1/boxes", "/api/v1/boxes"), 404)
	webtest.Want(t, none.Get("/api/v1/alerts", "/api/v1/alerts"), 404)
	descriptions.Want(t, "../api/openapi.yaml", append(answers, none.Answers...))
}

// TestAlertsOfABoundToken: alerts outside of a token's area take no place from those within.
func TestAlertsOfABoundToken(t *testing.T) {
	w := newWorld(t)
	w.alarm(t)
	w.Pass(10 * time.Minute)
	all, err := w.fleet.Alerts(t.Context(), fleet.AlertsIn{Areas: []fleet.Codes{{First: "0", Last: "9"}}, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, area := range []string{"629901000000", "629900000000", "620000000000", "629902000000"} {
		var want, got []string
		for _, x := range all {
			if account.Within(area, x.Area) {
				want = append(want, x.ID)
			}
		}
		p := w.Program(w.site, webtest.Grant(account.Province, "620000000000", "620000000000"), area, account.SeeBoxes)
		for cursor, first := "", true; first || cursor != ""; first = false {
			answer := p.Get("/api/v1/alerts", "/api/v1/alerts?limit=1&cursor="+cursor)
			webtest.Want(t, answer, 200)
			var part web.Listed[struct{ ID string }]
			if err := json.Unmarshal(answer.Body.Bytes(), &part); err != nil {
				t.Fatal(err)
			}
			for _, x := range part.Items {
				got = append(got, x.ID)
			}
			cursor = part.Next
		}
		if !slices.Equal(got, want) {
			t.Errorf("bound to %s it has %q of %d alerts, want %q", area, got, len(all), want)
		}
	}
}

// The home page says which boxes need somebody to each who sees them, and counts no others.
func TestNeeds(t *testing.T) {
	w := newWorld(t)
	w.troubled(t)
	for _, x := range []struct {
		grant account.Grant
		words string
	}{
		{webtest.Grant(account.Hall, "SL-H2", "629901000000"), "1 台评价器离线，1 台有故障"},
		{webtest.Grant(account.Hall, "SL-H3", "629902100000"), "!台评价器"},
		{webtest.Grant(account.County, "629901000000", "629901000000"), "1 台评价器离线，1 台有故障"},
		{webtest.Grant(account.Technician, "629900000000", "629900000000"), "2 台评价器离线，2 台有故障"},
		{webtest.Grant(account.Province, "620000000000", "620000000000"), "2 台评价器离线，2 台有故障"},
		{webtest.Grant(account.Unit, "116299002MB002222J", "629900000000"), "!台评价器"},
	} {
		webtest.Want(t, w.get("/", w.SignIn(w.Add(x.grant))), 200, x.words)
	}
}

// TestAnAlertIsAcknowledgedByAProgram once, by who may give commands there.
func TestAnAlertIsAcknowledgedByAProgram(t *testing.T) {
	w := newWorld(t)
	w.alarm(t)
	all, err := w.fleet.Alerts(t.Context(), fleet.AlertsIn{Areas: []fleet.Codes{{First: "629901", Last: "629901zz"}}, Limit: 100})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d alerts, %v", len(all), err)
	}
	const path = "/api/v1/alerts/{alert}/acknowledge"
	at := "/api/v1/alerts/" + all[0].ID + "/acknowledge"
	hall := w.Program(w.site, webtest.Grant(account.Hall, "SL-H2", "629901000000"), "", account.SeeBoxes, account.CommandBoxes)
	other := w.Program(w.site, webtest.Grant(account.Hall, "SL-H1", "629900000000"), "", account.SeeBoxes, account.CommandBoxes)
	reader := w.Program(w.site, webtest.Grant(account.Hall, "SL-H2", "629901000000"), "", account.SeeBoxes)
	webtest.Want(t, other.Post(path, at, "{}"), 404)
	webtest.Want(t, reader.Post(path, at, "{}"), 404)
	webtest.Want(t, hall.Post(path, at, `{"by":"me"}`), 400)
	webtest.Want(t, hall.Post(path, at, "{}"), 200, `"acknowledged_at"`)
	webtest.Want(t, hall.Post(path, at, "{}"), 409)
	webtest.Want(t, hall.Post(path, "/api/v1/alerts/none/acknowledge", "{}"), 404)
	descriptions.Want(t, "../api/openapi.yaml", slices.Concat(hall.Answers, other.Answers, reader.Answers))
}

// TestAProgramAsksABox what needs nobody who looks, where its token may give commands, and reads the answer with the box.
func TestAProgramAsksABox(t *testing.T) {
	w := newWorld(t)
	w.troubled(t)
	const path, at = "/api/v1/boxes/{device}/commands", "/api/v1/boxes/jia-b01/commands"
	may := []account.Action{account.SeeBoxes, account.CommandBoxes}
	hall := w.Program(w.site, webtest.Grant(account.Hall, "SL-H2", "629901000000"), "", may...)
	other := w.Program(w.site, webtest.Grant(account.Hall, "SL-H1", "629900000000"), "", may...)
	reader := w.Program(w.site, webtest.Grant(account.Hall, "SL-H2", "629901000000"), "", account.SeeBoxes)
	webtest.Want(t, other.Post(path, at, `{"name":"self_test"}`), 404)
	webtest.Want(t, reader.Post(path, at, `{"name":"self_test"}`), 404)
	for _, name := range []string{wire.CommandLearnKeys, wire.CommandKeepKeys, wire.CommandErase, wire.CommandUpdate,
		wire.CommandAddToken, ""} {
		webtest.Want(t, hall.Post(path, at, `{"name":"`+name+`"}`), 422)
	}
	webtest.Want(t, hall.Post(path, at, `{"name":"self_test","args":{}}`), 400)
	webtest.Want(t, hall.Post(path, "/api/v1/boxes/jia-b02/commands", `{"name":"self_test"}`), 409, "不在线")
	webtest.Want(t, hall.Post(path, at, `{"name":"self_test"}`), 202, `"asked_at"`)
	webtest.Want(t, hall.Post(path, at, `{"name":"self_test"}`), 409)
	sent := w.sentTo("jia-b01")
	if len(sent) != 1 || sent[0].Name != wire.CommandSelfTest {
		t.Fatalf("sent: %+v", sent)
	}
	reply := wire.Reply{ID: sent[0].ID, OK: true}
	if err := w.fleet.Note(t.Context(), []fleet.Note{{Device: "jia-b01", Replies: []wire.Reply{reply}, RepliedAt: w.Now()}}); err != nil {
		t.Fatal(err)
	}
	webtest.Want(t, hall.Get("/api/v1/boxes/{device}", "/api/v1/boxes/jia-b01"), 200, `"answered_at"`)
	descriptions.Want(t, "../api/openapi.yaml", slices.Concat(hall.Answers, other.Answers, reader.Answers))
}

// TestATokenPressesNoButton: what programs may not ask for by the API they may not by the forms of the pages either.
func TestATokenPressesNoButton(t *testing.T) {
	w := newWorld(t)
	w.troubled(t)
	p := w.Program(w.site, webtest.Grant(account.Hall, "SL-H2", "629901000000"), "", account.SeeBoxes, account.CommandBoxes, account.EditBoxes)
	for path, form := range map[string]url.Values{
		"/fleet/boxes/jia-b01/commands": {"name": {wire.CommandLearnKeys}},
		"/fleet/boxes/jia-b01/keys":     {"lesson": {"f-1"}},
		"/fleet/boxes/jia-b01/erase":    {"give_up": {"jia-b01"}},
		"/fleet/boxes/jia-b01/tokens":   {"name": {"PC"}},
		"/fleet/boxes/jia-b01/revoke":   {"reason": {"stolen"}},
		"/fleet/boxes/jia-b01/remove":   {},
	} {
		r := webtest.Request("POST", path, "", form)
		r.Header.Set("Authorization", "Bearer "+p.Token)
		webtest.Want(t, webtest.Do(w.site, r), 404)
	}
	if sent := w.sentTo("jia-b01"); len(sent) > 0 {
		t.Errorf("a token has had the box told %+v", sent)
	}
}
