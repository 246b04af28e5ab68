package organisation

import (
	"slices"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
)

// object returns what a record is about, for account.May: where it lies and whose business it is on a day.
func object(a *directory.Atlas, r directory.Record, d directory.Day) account.Object {
	switch r.Kind {
	case directory.Area:
		return account.Object{Area: r.ID}
	case directory.Unit:
		// A new unit stands in no atlas yet.
		return account.Object{Area: r.Area, Units: append([]string{r.ID}, units(a, r.Unit, d)...)}
	case directory.Hall:
		return account.Object{Area: r.Area, Units: units(a, r.Unit, d), Hall: r.ID}
	case directory.Window:
		hall, ok := a.At(directory.Hall, r.Hall, d)
		if !ok {
			return nowhere()
		}
		o := object(a, hall, d)
		if r.Unit != "" {
			o.Units = units(a, r.Unit, d)
		}
		return o
	case directory.Staff:
		if window, ok := a.At(directory.Window, r.Window, d); ok {
			o := object(a, window, d)
			o.Units = units(a, r.Unit, d) // whose person it is
			return o
		}
		if unit, ok := a.At(directory.Unit, r.Unit, d); ok && r.Window == "" {
			return object(a, unit, d)
		}
	}
	return nowhere()
}

// nowhere is the object of what names something that does not exist. No area has its code, so that it lies in none.
func nowhere() account.Object { return account.Object{Area: "-"} }

// units returns a unit and those above it.
func units(a *directory.Atlas, code string, d directory.Day) (all []string) {
	for _, u := range a.Units(code, d) {
		all = append(all, u.ID)
	}
	return all
}

// may reports whether the person may do something to a record, on a day on which it holds.
func may(c *web.Call, action account.Action) directory.May {
	today := directory.DayOf(c.Now())
	return func(a *directory.Atlas, r directory.Record) bool {
		o := object(a, r, max(r.From, min(today, r.To-1)))
		if action == account.EditDirectory && r.Kind == directory.Hall {
			o.Hall = "" // where a hall lies and whose it is, is for the area's office to say, not for the hall itself
		}
		return c.May(action, o)
	}
}

// domain returns the smallest area that holds all records of changes, as they were and as they become; empty if none is known. What is new
// may name what the same changes make.
func domain(a *directory.Atlas, all []directory.Change) (area string) {
	type thing struct {
		kind directory.Kind
		id   string
	}
	made := make(map[thing]directory.Record)
	for _, c := range all {
		if c.After != nil {
			made[thing{c.After.Kind, c.After.ID}] = *c.After
		}
	}
	lies := func(r directory.Record) string {
		for range 3 { // staff, window, hall
			o := object(a, r, r.From)
			if account.IsArea(o.Area) {
				return o.Area
			}
			next, ok := made[thing{directory.Hall, r.Hall}]
			if r.Kind == directory.Staff {
				if next, ok = made[thing{directory.Window, r.Window}]; !ok {
					next, ok = made[thing{directory.Unit, r.Unit}]
				}
			}
			if !ok {
				break
			}
			r = next
		}
		return ""
	}
	for _, c := range all {
		for _, r := range []*directory.Record{c.Before, c.After} {
			if r == nil {
				continue
			}
			one := lies(*r)
			if one == "" {
				continue
			}
			if area == "" {
				area = one
			}
			for area != "" && !account.Within(area, one) {
				area = directory.ParentArea(area)
			}
			if area == "" {
				return "000000000000" // more than one province
			}
		}
	}
	return area
}

// refusePast refuses the lines that change days already past, for whoever looks after halls alone: what was counted then stays as it was.
func refusePast(c *web.Call, x directory.Preview) {
	byArea := func(g account.Grant) bool { return g.Role != account.Hall }
	if slices.ContainsFunc(account.Grants(c.Person, account.EditDirectory), byArea) {
		return
	}
	today := directory.DayOf(c.Now())
	for _, ch := range x.Changes {
		first := directory.Forever // the first day that changes
		switch b, a := ch.Before, ch.After; {
		case b != nil && a != nil && ends(*b, a.To) == *a:
			first = min(b.To, a.To)
		case a != nil:
			first = a.From
		case b != nil:
			first = b.From
		}
		if l := &x.Lines[ch.Line]; first < today {
			l.Refused = append(l.Refused, directory.Fault{Chinese: "改动了今天以前的记录；大厅管理员请把生效日期写成今天或以后",
				English: "it changes days that are past; write today or a later day"})
		}
	}
}

// ends returns a record with another end.
func ends(r directory.Record, to directory.Day) directory.Record {
	r.To = to
	return r
}
