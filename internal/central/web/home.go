package web

import "haochaping/internal/central/directory/account"

// home is the frame's own section: what each person begins with.
func (s *Site) home() Section {
	return Section{Name: "frame", Files: frame, Routes: []Route{
		{Method: "GET", Path: "/{$}", Action: account.Start, Object: Own, Before: true, Nav: "首页", Do: s.start},
	}}
}

// start shows what needs the person today, and where they may go.
func (s *Site) start(c *Call) error {
	if c.Everybody {
		return c.See("/live")
	}
	v := struct {
		Needs  []Need
		Grants []account.Grant
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
			v.Grants = append(v.Grants, g)
		}
	}
	for _, l := range s.nav(c) {
		if l.Path != "/" {
			v.Places = append(v.Places, l)
		}
	}
	return c.Show("frame/home", v)
}
