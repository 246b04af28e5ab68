package web

import "haochaping/internal/central/directory/account"

// home is the frame's own section: what each person begins with.
func (s *Site) home() Section {
	return Section{Name: "frame", Files: frame, Routes: []Route{
		{Method: "GET", Path: "/{$}", Action: account.Start, Object: Own, Before: true, Nav: "首页", Do: s.start},
	}}
}

// held is a grant with the name of its area, unit, hall or person, empty for one that the organisation does not know.
type held struct {
	account.Grant
	Name string
}

// start shows what needs the person today, and where they may go.
func (s *Site) start(c *Call) error {
	if c.Everybody {
		return c.See("/live")
	}
	v := struct {
		Needs  []Need
		Grants []held
		Places []link
	}{}
	for _, ask := range s.needs {
		some, err := ask(c)
		if err != nil {
			return err
		}
		v.Needs = append(v.Needs, some...)
	}
	for _, g := range c.Person.Grants {
		if g.Holds(c.Person.At) {
			h := held{Grant: g}
			if s.cfg.Name != nil {
				h.Name = s.cfg.Name(c.R.Context(), g.Role.Scope(), g.Scope)
			}
			v.Grants = append(v.Grants, h)
		}
	}
	for _, l := range s.nav(c) {
		if l.Path != "/" {
			v.Places = append(v.Places, l)
		}
	}
	return c.Show("frame/home", v)
}
