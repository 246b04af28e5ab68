package main

import (
	"testing"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/directory/directorytest"
)

// Where a grant lies follows from the organisation.
func TestAreaOfAGrant(t *testing.T) {
	x, _ := pagesOf(t)
	directorytest.Enter(t, x.directory, "../ratingctl/organisation.csv")
	for _, c := range []struct {
		reach account.Reach
		id    string
		area  string
	}{{account.InHall, "SL-H2", "629901000000"}, {account.InUnit, "116299003MB003333Y", "629900000000"},
		{account.OfStaff, "SL-0016", "629901000000"},
		{account.OfStaff, "SL-0028", "629902000000"},
		{account.OfStaff, "nobody", ""}, {account.InHall, "nowhere", ""}, {account.InArea, "629900000000", ""}} {
		area, ok, err := x.areaOf(t.Context(), c.reach, c.id)
		if err != nil || ok != (c.area != "") || area != c.area {
			t.Errorf("%s %s is in %q, %v, %v; want %q", c.reach, c.id, area, ok, err, c.area)
		}
	}
}

// What a grant reaches is called by its name.
func TestNameOfAGrant(t *testing.T) {
	x, _ := pagesOf(t)
	directorytest.Enter(t, x.directory, "../ratingctl/organisation.csv")
	for _, c := range []struct {
		reach account.Reach
		id    string
		name  string
	}{{account.InHall, "SL-H1", "市民中心政务服务大厅"}, {account.InArea, "629900000000", "示例市"}, {account.OfStaff, "SL-0013", "蒋示例"},
		{account.InHall, "nowhere", ""}, {account.OfSelf, "SL-H1", ""}} {
		if got := x.nameOf(t.Context(), c.reach, c.id); got != c.name {
			t.Errorf("%s %s is called %q, want %q", c.reach, c.id, got, c.name)
		}
	}
}
