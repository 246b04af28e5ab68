package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// demoPerson is somebody of the demonstration's city who has an account at the centre, and no password.
type demoPerson struct {
	role, name, chinese string
	flags               []string // for whom
	page                string   // of the centre, where they begin
}

// demoPeople returns one person of each role. The first is signed in when the page opens.
func demoPeople() []demoPerson {
	area := func(code string) []string { return []string{"-area", code} }
	of := func(code, scope string) []string { return []string{"-area", code, "-scope", scope} }
	return []demoPerson{
		{"province", "章示例", "省级管理机构", area("620000000000"), "/live"},
		{"city", "云示例", "市州管理机构", area("629900000000"), "/"},
		{"county", "苏示例", "县区管理机构", area("629901000000"), "/"},
		{"unit", "邹示例", "单位责任人", of("629900000000", "116299003MB003333Y"), "/"},
		{"hall", "潘示例", "大厅管理员", of("629900000000", "SL-H1"), "/"},
		{"staff", "吕示例", "窗口人员", of("629901000000", "SL-0022"), "/"},
		{"technician", "葛示例", "设备运维", area("629900000000"), "/"},
		{"auditor", "范示例", "审计", area("620000000000"), "/"},
		{"inspector", "彭示例", "线索专员", area("629900000000"), "/clues"},
	}
}

func (p demoPerson) login() string { return "demo." + p.role }

// centrald runs a command of the centre and returns what it prints.
func (s *stagehand) centrald(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	c := exec.CommandContext(ctx, filepath.Join(s.bin, "centrald"), args...)
	c.Env = append(os.Environ(), "GOGC=800") // they live for seconds
	c.Stdout, c.Stderr = &out, &out
	if args[0] == "rehearse" { // which says how far it is
		c.Stderr = io.MultiWriter(&out, s.stderr)
	}
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("centrald %s: %w\n%s", strings.Join(args[:2], " "), err, out.String())
	}
	return out.String(), nil
}

// openAccounts opens an account for each person.
func (s *stagehand) openAccounts(ctx context.Context) error {
	for _, p := range demoPeople() {
		args := append([]string{"account", "add", "-config", s.config, "-role", p.role, "-login", p.login(), "-name", p.name}, p.flags...)
		if _, err := s.centrald(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// complain has the city's office enter two complaints: one for the unit that has an account, and one of retaliation, which is a clue.
func (s *stagehand) complain(ctx context.Context) error {
	office := demoPeople()[1]
	cookie, err := s.signIn(ctx, office)
	if err != nil {
		return err
	}
	send := func(method string, form url.Values) (string, error) {
		r, err := http.NewRequestWithContext(ctx, method, "http://"+s.centre["admin"]+"/complaints", strings.NewReader(form.Encode()))
		if err != nil {
			return "", err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.AddCookie(cookie)
		resp, err := (&http.Client{Timeout: 30 * time.Second}).Do(r)
		if err != nil {
			return "", err
		}
		text, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("the centre takes no complaint: %s", resp.Status)
		}
		return string(text), errors.Join(err, resp.Body.Close())
	}
	for _, form := range []url.Values{
		{"number": {"12345-000731"}, "matter": {"身份证补领"}, "place": {"户政7号窗口"}, "words": {"上午排队两小时，窗口只开了一个。"}, "contact": {"13900000031"}},
		{"number": {"12345-000732"}, "matter": {"户籍迁移"}, "words": {"上次投诉以后，办理时被故意拖延。"}, "retaliation": {"1"}},
	} {
		page, err := send(http.MethodGet, nil)
		if err != nil {
			return err
		}
		once := regexp.MustCompile(`name="once" value="(\w+)"`).FindStringSubmatch(page)
		if once == nil {
			return errors.New("the centre's page takes no complaints")
		}
		form.Set("once", once[1])
		form.Set("way", "hotline")
		form.Set("unit", "116299003MB003333Y")
		// The centre believes for a second what it has read of the organisation, which was entered just now.
		end := time.Now().Add(10 * time.Second)
		_, err = send(http.MethodPost, form)
		for err != nil && time.Now().Before(end) && ctx.Err() == nil {
			time.Sleep(200 * time.Millisecond)
			_, err = send(http.MethodPost, form)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// signIn signs a browser in as a person, as whoever has the centre's machine may: by a one-time link. A cookie is for a host and all its
// ports, so that the one of the centre may be handed on from here.
func (s *stagehand) signIn(ctx context.Context, p demoPerson) (*http.Cookie, error) {
	out, err := s.centrald(ctx, "account", "link", "-config", s.config, "-sign-in", p.login())
	if err != nil {
		return nil, err
	}
	path := regexp.MustCompile(`/enter/\S+`).FindString(out)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.centre["admin"]+path, nil)
	if err != nil {
		return nil, errors.New("the centre has made no link") // the address is a secret
	}
	client := &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request,
		[]*http.Request) error {
		return http.ErrUseLastResponse
	}}
	resp, err := client.Do(r)
	if err != nil {
		return nil, errors.New("the centre does not answer")
	}
	if err := resp.Body.Close(); err != nil {
		return nil, err
	}
	for _, c := range resp.Cookies() {
		if c.Name == "hcp" {
			return c, nil
		}
	}
	return nil, fmt.Errorf("the centre has signed nobody in: %s", resp.Status)
}

// signedIn is for how long signing in is tried again: a machine may be so busy that the centre does not answer in time.
const signedIn = 90 * time.Second

// as signs the browser in as somebody, and says where they begin.
func (s *stagehand) as(w http.ResponseWriter, r *http.Request) {
	all := demoPeople()
	i := slices.IndexFunc(all, func(p demoPerson) bool { return p.role == r.PathValue("role") })
	if i < 0 {
		http.NotFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), signedIn)
	defer cancel()
	c, err := s.signIn(ctx, all[i])
	for err != nil {
		select {
		case <-ctx.Done():
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		case <-time.After(time.Second):
		}
		var again error
		if c, again = s.signIn(ctx, all[i]); again == nil || ctx.Err() == nil { // the first reason says more than that the time is over
			err = again
		}
	}
	http.SetCookie(w, c)
	writeJSON(w, map[string]string{"page": all[i].page})
}
