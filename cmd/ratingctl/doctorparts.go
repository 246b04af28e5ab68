package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/internal/porthold"
)

// optionalChecks returns what is to be said of the parts that the window can do without: one finding for each that does not work,
// or one for all of them. Without the daemon nobody knows.
func optionalChecks(p *patient) []check {
	if p.status == nil {
		return nil
	}
	label := sayer{cli.Chinese}.part
	var out []check
	var fit []string
	for _, part := range p.status.Parts {
		switch {
		case !optional(part.Name):
		case part.OK:
			fit = append(fit, label(part.Name))
		default:
			out = append(out, check{label(part.Name), part.Name, func(context.Context, *patient) finding { return partFinding(part) }})
		}
	}
	if len(fit) > 0 {
		list := strings.Join(fit, "、")
		out = append(out, check{"其他", "others", func(context.Context, *patient) finding { return fine(list+" 正常", "the other parts work") }})
	}
	return out
}

// nameHolders adds to parts whose port is taken which program has it: this one may see processes that the daemon may not.
func nameHolders(c boxconfig.Config, parts []opsapi.Part) {
	for i := range parts {
		part := &parts[i]
		address := map[string]string{"window_api": c.WindowAPI.Listen, "window_api_lan": c.WindowAPI.LANListen,
			"browser": c.Screen.Browser, "operations": c.Operations.Listen}[part.Name]
		if part.OK || !strings.Contains(part.What.EN, "address already in use") {
			continue
		}
		if h, port, err := porthold.At("/proc", address); err == nil && h.PID != 0 {
			part.Do.ZH += fmt.Sprintf("；现在占用端口 %d 的是%s", port, h.ZH())
			part.Do.EN += fmt.Sprintf("; port %d is taken by %s", port, h.EN())
		}
	}
}

// daemonsCheck lets the ratingd beside this program check a configuration, which it does as the service's user, and returns what it says in
// each language. Where there is none it returns nil. An *exec.ExitError with ailingStatus says that the window works all the same.
func daemonsCheck(ctx context.Context, config string) (said condition.Text, err error) {
	self, err := os.Executable()
	if err != nil {
		return said, nil
	}
	program := filepath.Join(filepath.Dir(self), "ratingd")
	if info, err := os.Stat(program); err != nil || !info.Mode().IsRegular() {
		return said, nil
	}
	say := func(lang cli.Lang) (string, error) {
		out, err := exec.CommandContext(ctx, program, "-check-config", "-config", config, "-lang", string(lang)).CombinedOutput()
		return strings.TrimPrefix(strings.TrimSpace(string(out)), "ratingd: "), err
	}
	if said.ZH, err = say(cli.Chinese); err != nil {
		said.EN, _ = say(cli.English) // it fails alike
	}
	return said, err
}
