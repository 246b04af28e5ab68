package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"

	"haochaping/internal/central/directory/account"
)

// parts is the file of a section with what several of its pages have in common.
const parts = "parts.html"

// pages are the templates by "section/name", each with the layout.
type pages map[string]*template.Template

func parsePages(sections []Section) (pages, error) {
	layout, err := template.New("layout.html").Funcs(template.FuncMap{"clock": Clock, "role": account.Role.Chinese}).
		ParseFS(frame, "layout.html")
	if err != nil {
		return nil, err
	}
	all := make(pages)
	for _, s := range append([]Section{{Name: "frame", Files: frame}}, sections...) {
		names, err := fs.Glob(s.Files, "*.html")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if s.Name == "frame" && name == "layout.html" || name == parts {
				continue
			}
			t, err := layout.Clone()
			if err == nil && slices.Contains(names, parts) {
				t, err = t.ParseFS(s.Files, parts)
			}
			if err == nil {
				t, err = t.ParseFS(s.Files, name)
			}
			if err != nil {
				return nil, fmt.Errorf("%s/%s: %w", s.Name, name, err)
			}
			all[s.Name+"/"+strings.TrimSuffix(name, ".html")] = t
		}
	}
	return all, nil
}

// view is what the layout shows around a page.
type view struct {
	Person account.Person
	Guest  bool // nobody is signed in
	Nav    []link
	Data   any
}

// link is an entry of the navigation.
type link struct {
	Path, Words string
	Here        bool
}

// page returns a page with its layout.
func (s *Site) page(c *Call, name string, data any) ([]byte, error) {
	return s.render(name, "layout", view{Person: c.Person, Guest: c.Person.Account == "", Nav: s.nav(c), Data: data})
}

// Part returns a part of a page without its layout, for scripts that put it in place.
func (c *Call) Part(page, part string, data any) (template.HTML, error) {
	text, err := c.site.render(page, part, data)
	return template.HTML(text), err
}

func (s *Site) render(page, part string, data any) ([]byte, error) {
	t, ok := s.pages[page]
	if !ok {
		return nil, fmt.Errorf("there is no page %s", page)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, part, data); err != nil {
		return nil, fmt.Errorf("render %s: %w", page, err)
	}
	return b.Bytes(), nil
}

// nav returns the pages that the person may ever see.
func (s *Site) nav(c *Call) []link {
	var all []link
	for _, r := range s.routes {
		owes := c.Person.NeedsSecond() && !c.Person.Second && r.Action != account.UseOwn
		if r.Nav == "" || owes || c.Everybody && !r.Before || !c.Ever(r.Action) {
			continue
		}
		p := strings.TrimSuffix(r.Path, "{$}")
		all = append(all, link{p, r.Nav, p == c.R.URL.Path || p != "/" && strings.HasPrefix(c.R.URL.Path, p+"/")})
	}
	return all
}

// asset is a file that pages refer to.
type asset struct {
	text []byte
	kind string
	tag  string
}

func (s *Site) addAssets(section string, files fs.FS) error {
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
		".png": "image/png"}
	names, err := fs.Glob(files, "*")
	if err != nil {
		return err
	}
	for _, name := range names {
		kind, ok := kinds[path.Ext(name)]
		if !ok {
			continue
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return fmt.Errorf("file %s of %s: %w", name, section, err)
		}
		sum := sha256.Sum256(text)
		s.assets[section+"/"+name] = asset{text, kind, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
	}
	return nil
}

// asset serves a file. It is the same for everybody, and a browser asks each time whether it is still the same.
func (s *Site) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := s.assets[r.PathValue("section")+"/"+r.PathValue("file")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", a.tag)
	if r.Header.Get("If-None-Match") == a.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	_, _ = w.Write(a.text)
}
