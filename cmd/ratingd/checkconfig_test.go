package main

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckConfig(t *testing.T) {
	dir := t.TempDir()
	config, secret := filepath.Join(dir, "ratingd.toml"), filepath.Join(dir, "hook")
	writeFile(t, config, `device = "lz-0417"
keys.source = "simulated"
keys.map = [{key="1",level=5},{key="2",level=4},{key="3",level=3},{key="4",level=2},{key="5",level=1}]
uplink.centre_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
window_api.webhook_url = "https://hall.example/hook"
window_api.webhook_secret_file = "`+secret+`"
`)
	check := func() (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), []string{"-check-config", "-config", config}, environment{stdout: &out, stderr: io.Discard})
		return out.String(), err
	}
	for _, step := range []struct{ secret, want string }{{"", "no such file"}, {"guess", "whsec_"}, {"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n", ""}} {
		if step.secret != "" {
			writeFile(t, secret, step.secret)
		}
		out, err := check()
		wrong := new(configurationError)
		switch {
		case step.want == "" && (err != nil || !strings.Contains(out, "无误 / is in order")):
			t.Errorf("a configuration that is right: %q, %v", out, err)
		case step.want != "" && (!errors.As(err, &wrong) || !strings.Contains(err.Error(), "webhook_secret_file") || !strings.Contains(err.Error(), step.want)):
			t.Errorf("secret %q: %q, %v; want an error with %q", step.secret, out, err, step.want)
		}
	}
}
