package deploy

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// directives returns the settings of a unit as "Key=value", with continued lines joined.
func directives(t *testing.T, unit string) []string {
	t.Helper()
	b, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(strings.ReplaceAll(string(b), "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "[") {
			out = append(out, line)
		}
	}
	return out
}

// since says with which version of systemd a directive came (systemd's NEWS). 0 is one that is older than any that we meet.
func since() map[string]int {
	all := make(map[string]int)
	for version, names := range map[int]string{
		0: "After AmbientCapabilities CapabilityBoundingSet CPUWeight Description DeviceAllow DevicePolicy Documentation Environment " +
			"ExecStart ExecStartPre ExecStopPost Group IOWeight IPAddressDeny KeyringMode LockPersonality MemoryDenyWriteExecute MemoryMax " +
			"MemorySwapMax IOSchedulingClass KillMode Nice PathExists " +
			"NoNewPrivileges OOMScoreAdjust PartOf PrivateDevices PrivateMounts PrivateNetwork PrivateTmp PrivateUsers ProtectControlGroups " +
			"ProtectHome " +
			"ProtectKernelModules ProtectKernelTunables ProtectSystem ReadWritePaths RemoveIPC RequiresMountsFor Restart RestartPreventExitStatus " +
			"RestartSec " +
			"RestrictAddressFamilies RestrictNamespaces RestrictRealtime RuntimeDirectory RuntimeDirectoryMode StartLimitIntervalSec " +
			"StateDirectory " +
			"StateDirectoryMode SystemCallArchitectures SystemCallErrorNumber SystemCallFilter TasksMax TimeoutStartSec TimeoutStopSec Type UMask " +
			"User " +
			"WantedBy Wants WatchdogSec ConditionPathExists LimitFSIZE RuntimeDirectoryPreserve SupplementaryGroups",
		242: "ProtectHostname RestrictSUIDSGID",
		243: "TimeoutAbortSec",
		244: "ProtectKernelLogs",
		245: "ProtectClock",
		247: "ProcSubset ProtectProc",
	} {
		for _, name := range strings.Fields(names) {
			all[name] = version
		}
	}
	return all
}

// oldest is the oldest systemd that takes the packages: that of UOS 20.
const oldest = 241

// What an older systemd does not know it leaves out with a warning, which may cost hardening and never function. What it leaves
// out is documented, for the versions of UOS 20, Kylin V10 and Debian 11.
func TestUnitsOnOlderSystemd(t *testing.T) {
	docs, err := os.ReadFile("../docs/older-systemd.md")
	if err != nil {
		t.Fatal(err)
	}
	known := since()
	harmless := []string{"ProtectHostname", "RestrictSUIDSGID", "TimeoutAbortSec", "ProtectKernelLogs", "ProtectClock", "ProcSubset",
		"ProtectProc"}
	for _, unit := range []string{"ratingd/ratingd.service", "ratingd/ratingd-clock.service", "ratingd/ratingd-stick@.service",
		"ratingd/haochaping-update.service", "ratingd/haochaping-update.path", "centrald/centrald.service"} {
		for _, d := range directives(t, unit) {
			key, value, _ := strings.Cut(d, "=")
			version, ok := known[key]
			switch {
			case !ok:
				t.Errorf("%s: it is not said with which systemd %s came: look into its NEWS", unit, key)
			case version > oldest && !slices.Contains(harmless, key):
				t.Errorf("%s: %s came with systemd %d, and it is not said what happens without it", unit, key, version)
			case version > oldest && !strings.Contains(string(docs), "`"+key+"`"):
				t.Errorf("%s: docs/older-systemd.md does not name %s, which came with systemd %d", unit, key, version)
			}
			if value == "none" && key == "RestrictAddressFamilies" && !strings.Contains(string(docs), "`RestrictAddressFamilies=none`") {
				t.Errorf("%s: docs/older-systemd.md does not name %s, which came with systemd 249", unit, d)
			}
			checkValue(t, unit, key, value)
		}
	}
}

// checkValue reports values that an older systemd refuses and on which the service depends.
func checkValue(t *testing.T, unit, key, value string) {
	t.Helper()
	allowed := map[string]string{
		"Type":           `notify|exec|simple|oneshot|forking`, // exec: 240; notify-reload: 253
		"ProtectSystem":  `strict|full|yes|no`,
		"ProtectHome":    `yes|no|read-only|tmpfs`, // 239
		"PrivateTmp":     `yes|no`,                 // disconnected: 257
		"PrivateUsers":   `yes|no`,                 // self, identity: 257
		"Restart":        `always|on-failure|no`,
		"DevicePolicy":   `closed|strict|auto`,
		"KeyringMode":    `private|shared|inherit`,
		"ProtectProc":    `invisible|ptraceable|noaccess|default`,
		"ExecStart":      `/.*`, // prefixes beyond these: "!" 235, ":" 243
		"ExecStartPre":   `[+-]*/.*`,
		"ExecStopPost":   `[+-]*/.*`,
		"ReadWritePaths": `-?/\S+`,
		"MemoryMax":      `[0-9]+[KMG]`,
		"MemorySwapMax":  `0`,
		"TasksMax":       `[0-9]+`,
	}[key]
	if allowed != "" && !regexp.MustCompile("^("+allowed+")$").MatchString(value) {
		t.Errorf("%s: %s=%s is not known to be understood by systemd %d", unit, key, value, oldest)
	}
	for _, set := range regexp.MustCompile(`@[a-z-]+`).FindAllString(value, -1) {
		if key == "SystemCallFilter" && !slices.Contains([]string{"@system-service", "@privileged", "@resources"}, set) { // 239, 231, 231
			t.Errorf("%s: systemd %d may not know the calls %s", unit, oldest, set)
		}
	}
}

func TestPackagesAskForNoNewerSystemd(t *testing.T) {
	for _, name := range []string{"ratingd", "centrald"} {
		b, err := os.ReadFile(filepath.Join(name, "nfpm.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), "  - systemd (>= 241)\n") {
			t.Errorf("%s asks for another systemd than %d", name, oldest)
		}
	}
}

// device is what udev knows of one when it comes or changes.
type device struct{ action, subsystem, kernel, bus, files string }

// udev applies rules to a device, as far as ours go: matches of keys with patterns, and what they assign.
func udev(t *testing.T, rules string, d device) (assigned map[string]string, runs []string) {
	t.Helper()
	assigned = make(map[string]string)
	word := regexp.MustCompile(`([A-Z]+(?:\{[A-Z_]+\})?)(==|!=|\+=|=)"([^"]*)"`)
	for line := range strings.Lines(rules) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		applies := true
		for _, w := range word.FindAllStringSubmatch(line, -1) {
			have := map[string]string{"ACTION": d.action, "SUBSYSTEM": d.subsystem, "KERNEL": d.kernel, "ENV{ID_BUS}": d.bus,
				"ENV{ID_FS_TYPE}": d.files}[w[1]]
			matches := slices.ContainsFunc(strings.Split(w[3], "|"), func(p string) bool { ok, err := path.Match(p, have); return ok && err == nil })
			if w[2] == "==" && !matches || w[2] == "!=" && matches {
				applies = false
			}
		}
		for _, w := range word.FindAllStringSubmatch(line, -1) {
			switch {
			case applies && w[2] == "=":
				assigned[w[1]] = w[3]
			case applies && w[2] == "+=":
				runs = append(runs, w[3])
			}
		}
	}
	return assigned, runs
}

// The hardware is for the daemon from the installation on, which makes udev look at what is there once more, and no keystroke at the
// console is for anybody.
func TestUdevRules(t *testing.T) {
	b, err := os.ReadFile("ratingd/60-ratingd.rules")
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"add", "change", "bind"} {
		for d, want := range map[[2]string]string{
			{"gpio", "gpiochip0"}: "gpio 0660", {"graphics", "fb0"}: "video 0660", {"drm", "card1"}: "video 0660",
			{"drm", "renderD128"}: "render 0660",
			{"input", "event3"}:   "input 0660", {"tty", "tty0"}: "ratingd 0620", {"tty", "tty1"}: " ", {"tty", "ttySC0"}: " ",
			{"block", "sda"}:  " ",
			{"input", "mice"}: " ",
		} {
			got, runs := udev(t, string(b), device{action: action, subsystem: d[0], kernel: d[1], files: "vfat"})
			if s := got["GROUP"] + " " + got["MODE"]; s != want || len(runs) != 0 {
				t.Errorf("%s %v: %q, runs %v; want %q", action, d, s, runs, want)
			}
		}
		if _, runs := udev(t, string(b), device{action: action, subsystem: "backlight", kernel: "rpi_backlight"}); len(runs) != 2 ||
			!strings.Contains(runs[0], "chgrp video") || !strings.Contains(runs[1], "chmod g+w") {
			t.Errorf("%s of a backlight runs %v", action, runs)
		}
	}
	if _, runs := udev(t, string(b), device{action: "remove", subsystem: "backlight", kernel: "rpi_backlight"}); len(runs) != 0 {
		t.Errorf("the removal of a backlight runs %v", runs)
	}
	// A stick that comes is looked at for a ticket, and nothing else that has files.
	stick := device{action: "add", subsystem: "block", kernel: "sdb1", bus: "usb", files: "vfat"}
	if _, runs := udev(t, string(b), stick); !slices.Contains(runs, "ratingd-stick@%k.service") {
		t.Errorf("a stick runs %v", runs)
	}
	script, err := os.ReadFile("ratingd/postinst")
	if err != nil {
		t.Fatal(err)
	}
	for _, subsystem := range []string{"gpio", "graphics", "drm", "input", "backlight", "tty"} {
		if !strings.Contains(string(script), "--subsystem-match="+subsystem) {
			t.Errorf("the installation does not make udev look at %s", subsystem)
		}
	}
}
