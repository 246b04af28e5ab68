package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestDefaultsAreAConfiguration(t *testing.T) {
	got, err := parseConfig(defaultTOML)
	if err != nil {
		t.Fatal(err)
	}
	if got.Broker.Listen != "127.0.0.1:1883" || got.Rate.Reasons != "extended" {
		t.Errorf("defaults = %+v", got)
	}
}

func TestConfigErrorsNameTheLineAndWhatIsAllowed(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"\nstat = \"x\"", "line 2: stat: unknown; centrald -print-config"},
		{"[rate]\nlisten = \"8080\"", "line 2: rate.listen: \"8080\" is no address; write host:port"},
		{"[admin]\n\nlisten = \"0.0.0.0:8081\"", "line 3: admin.listen: \"0.0.0.0:8081\" can be reached from other machines in plain text"},
		{"admin.listen = \"admin.example.com:8081\"", "line 1: admin.listen"},
		{"[ops]\nlisten = \":9480\"\ncert_file = \"c\"\nkey_file = \"k\"", "line 2: ops.listen: \":9480\" can be reached from other machines"},
		{"[admin.oidc]\nissuer = \"http://id.example.com\"", "line 2: admin.oidc.issuer: \"http://id.example.com\" is not allowed"},
		{"[admin.oidc]\nissuer = \"https://id.example.com\"\nclient_id = \"c\"\nclient_secret_file = \"s\"", "no group has a role"},
		{"[admin.oidc]\nissuer = \"https://id.example.com\"\nclient_id = \"c\"\nclient_secret_file = \"s\"\n" +
			"groups = [{group = \"g\", role = \"hall\", area = \"620100000000\"}]", "its id as scope"},
		{"[cases]\ntokens_file = \"x\"\nlisten = \":8090\"", "line 3: cases.listen: \":8090\" can be reached from other machines in plain text"},
		{"log_level = \"loud\"", "allowed are debug, info, warn, error"},
		{"[broker]\nurl = \"tcp://mqtt.example.com\"", "write mqtts://host:8883"},
		{"[rate]\nreasons = \"all\"", "allowed are core, extended"},
		{"[rate]\nframe_ancestors = [\"https://a.example.com/x\"]", "write an origin without a path"},
		{"[rate]\nframe_ancestors = [\"https://a.example.com; script-src *\"]", "write an origin without a path"},
		{"[rate]\nbase = \"rate.example.com\"", "rate.base"},
		{"[deadline.sms]\ntext = \"{link}\"", "write rate.base"},
		{"[alerts]\nwebhook_url = \"http://alerts.example.com\"\nwebhook_secret_file = \"x\"", "plain text"},
		{"[alerts]\nwebhook_url = \"https://alerts.example.com\"", "webhook_secret_file is missing"},
		{"[orders]\nwebhook_url = \"http://orders.example.com\"\nwebhook_secret_file = \"x\"", "orders.webhook_url"},
		{"[orders]\nwebhook_url = \"https://orders.example.com\"", "webhook_secret_file is missing"},
		{"[alerts]\nwebhook_url = \"alerts.example.com\"", "it is no address"},
		{"[cases]\nvoice_keys = { \"1\" = 6 }", "of which 5 is"},
		{"[rate]\ncert_file = \"x\"", "a certificate and its key go together"},
		{"[broker]\nusername = \"x\"", "go together"},
		{"state = 5", "line 1: state"},
		{"state = \"\"", "state: empty"},
		{"state =", "line 1"},
	} {
		_, err := parseConfig(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want one with %q", c.text, err, c.want)
		}
	}
	if _, err := parseConfig("broker.url = \"mqtts://mqtt.example.com:8883\"\nadmin.listen = \"[::1]:0\"\nrate.listen=\":443\"\n" +
		"admin.hosts=[\"Admin.example.com\"]\n" +
		"cases = {listen = \":8090\", tokens_file = \"t\", cert_file = \"c\", key_file = \"k\"}"); err != nil {
		t.Error(err)
	}
}

func TestCatalogueFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "reasons.json")
	builtIn, err := catalogue("")
	if err != nil || builtIn.Version != 1 {
		t.Fatalf("version %d, %v", builtIn.Version, err)
	}
	if _, err := catalogue(file); err == nil {
		t.Error("a file that is not there was accepted")
	}
	builtIn.Version = 2
	b, err := json.Marshal(builtIn)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]uint32{string(b): 2, string(b[1:]): 0, "{}": 0} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := catalogue(file); c.Version != want || (err == nil) != (want > 0) {
			t.Errorf("%.30s: version %d, %v; want %d", text, c.Version, err, want)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(defaultTOML)
	f.Add("[rate]\nframe_ancestors = [\"https://a.example.com\"]")
	f.Add("admin.hosts = [\"\"]")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseConfig(text)
		if err != nil {
			return
		}
		for _, o := range append(c.Rate.FrameAncestors, c.Admin.FrameAncestors...) {
			if strings.ContainsAny(string(o), " ;,\n\r'*") {
				t.Errorf("origin %q would change the policy that it stands in", o)
			}
		}
	})
}

func TestKeyIsMadeOnceAndKept(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	keys := make([]string, 8)
	var group sync.WaitGroup
	for i := range keys {
		group.Go(func() {
			k, err := keptKey(filepath.Join(state, keyFile), rand.Reader)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = string(k)
		})
	}
	group.Wait()
	for _, k := range keys {
		if k == "" || k != keys[0] {
			t.Fatal("processes that start at once have different keys")
		}
	}
	path := filepath.Join(state, keyFile)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: mode %v, %v; want 0600", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(state, ".key-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte("BEGIN"), []byte("BEGUN"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keptKey(filepath.Join(state, keyFile), rand.Reader); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged key gives %v; a new one would lock out every box", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := keptKey(filepath.Join(state, keyFile), rand.Reader); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that all can read gives %v", err)
	}
}
