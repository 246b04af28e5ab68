package deploy

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestAlerts lets Prometheus' own tool read the rules of all alerts, and raise each about the centre.
func TestAlerts(t *testing.T) {
	need(t, "promtool", "prometheus")
	output(t, nil, "promtool", "check", "rules", "prometheus/ratingd.rules.yml", "prometheus/centrald.rules.yml")
	output(t, nil, "promtool", "test", "rules", "prometheus/centrald.rules.test.yml")
	raised := found(t, "prometheus/centrald.rules.test.yml", `alertname: (\w+)\n\s+exp_alerts:\n`)
	alerts := found(t, "prometheus/centrald.rules.yml", `- alert: (\w+)`)
	if len(alerts) < 10 {
		t.Errorf("%d alerts were read", len(alerts))
	}
	for _, a := range alerts {
		if !slices.Contains(raised, a) {
			t.Errorf("nothing raises %s in centrald.rules.test.yml", a)
		}
	}
}

// found returns what the first group of a pattern matches in a file.
func found(t *testing.T, path, pattern string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	return all
}
