package directory

import (
	"cmp"
	"slices"
)

// tree is the whole organisation in memory: the records of each thing, by the days on which they begin.
type tree map[Kind]map[string][]Record

// newTree returns the organisation that records make.
func newTree(all []Record) tree {
	t := make(tree)
	for _, k := range Kinds() {
		t[k] = make(map[string][]Record)
	}
	for _, r := range all {
		t.put(r)
	}
	return t
}

// put adds a record, or replaces the one that begins on the same day.
func (t tree) put(r Record) {
	all := t[r.Kind][r.ID]
	i, found := slices.BinarySearchFunc(all, r.From, func(x Record, d Day) int { return cmp.Compare(x.From, d) })
	if found {
		all[i] = r
		return
	}
	t[r.Kind][r.ID] = slices.Insert(all, i, r)
}

// remove takes a record away.
func (t tree) remove(k key) {
	all := slices.DeleteFunc(t[k.kind][k.id], func(r Record) bool { return r.From == k.from })
	if len(all) == 0 {
		delete(t[k.kind], k.id)
		return
	}
	t[k.kind][k.id] = all
}

// get returns the record that begins on a day.
func (t tree) get(k key) (Record, bool) {
	for _, r := range t[k.kind][k.id] {
		if r.From == k.from {
			return r, true
		}
	}
	return Record{}, false
}

// at returns how a thing is on a day.
func (t tree) at(k Kind, id string, d Day) (Record, bool) { return on(t[k][id], d) }

// on returns the record of those of one thing that holds on a day.
func on(all []Record, d Day) (Record, bool) {
	i, _ := slices.BinarySearchFunc(all, d, func(x Record, d Day) int { return cmp.Compare(x.From, d+1) })
	if i == 0 || !all[i-1].Holds(d) {
		return Record{}, false
	}
	return all[i-1], true
}

// life returns the days from the first to the last record of a thing.
func (t tree) life(k Kind, id string) (Period, bool) {
	all := t[k][id]
	if len(all) == 0 {
		return Period{}, false
	}
	p := Period{all[0].From, all[0].To}
	for _, r := range all {
		p.To = max(p.To, r.To)
	}
	return p, true
}

// wrong is a rule that a record breaks together with others.
type wrong struct {
	at    key   // the record
	other []ref // what else takes part in it
	Fault
}

// check returns all that is wrong with the organisation, in the order of kinds and IDs.
func (t tree) check() []wrong {
	var all []wrong
	for _, k := range Kinds() {
		for _, records := range t[k] {
			all = append(all, t.checkPeriods(records)...)
			for _, r := range records {
				all = append(all, t.checkRefs(r)...)
			}
		}
	}
	all = append(all, t.checkCycles()...)
	slices.SortFunc(all, func(a, b wrong) int {
		return cmp.Or(cmp.Compare(slices.Index(Kinds(), a.at.kind), slices.Index(Kinds(), b.at.kind)), cmp.Compare(a.at.id, b.at.id),
			cmp.Compare(a.at.from, b.at.from))
	})
	return all
}

// checkPeriods returns where the periods of one thing overlap or leave a gap.
func (t tree) checkPeriods(records []Record) (all []wrong) {
	for i := 1; i < len(records); i++ {
		before, r := records[i-1], records[i]
		switch {
		case r.From < before.To:
			all = append(all, wrong{r.key(), []ref{{r.Kind, r.ID}}, faultf("%s 的时段 %s 与 %s 重叠，请把前一段的失效日期写为 %s",
				"the periods of %s, %s and %s, overlap; let the former end on %s", r.ID, before.Period, r.Period, r.From)})
		case r.From > before.To && r.Kind != Staff:
			all = append(all, wrong{r.key(), []ref{{r.Kind, r.ID}}, faultf("%s 的时段 %s 与 %s 之间有空档，请接上，或另用一个编号",
				"there is a gap between the periods of %s, %s and %s; join them, or take another ID", r.ID, before.Period, r.Period)})
		}
	}
	return all
}

// checkRefs returns what a record names that does not exist on all of its days.
func (t tree) checkRefs(r Record) (all []wrong) {
	refs := r.refs()
	if r.Kind == Area {
		refs = append(refs, t.above(r)...)
	}
	for _, x := range refs {
		life, ok := t.life(x.kind, x.id)
		switch {
		case !ok:
			all = append(all, wrong{r.key(), []ref{x}, faultf("%s %s 所用的%[3]s %[4]s 不存在", "%[5]s %[2]s names the %[6]s %[4]s, which does not exist",
				r.Kind.Chinese(), r.ID, x.kind.Chinese(), x.id, string(r.Kind), string(x.kind))})
		case !life.Covers(r.Period):
			all = append(all, wrong{r.key(), []ref{x}, faultf("%[1]s %[2]s 的时段 %[7]s 超出所用%[3]s %[4]s 的时段 %[8]s",
				"%[5]s %[2]s holds for %[7]s, and the %[6]s %[4]s that it names for %[8]s only",
				r.Kind.Chinese(), r.ID, x.kind.Chinese(), x.id, string(r.Kind), string(x.kind), r.Period, life)})
		}
	}
	return all
}

// above returns the area above an area. The centre of a city has none above the city: where no area above is known at all, none is missing.
func (t tree) above(r Record) []ref {
	parent := ParentArea(r.ID)
	for code := parent; code != ""; code = ParentArea(code) {
		if len(t[Area][code]) > 0 {
			return []ref{{Area, parent}}
		}
	}
	return nil
}

// maxUnits bounds how many units stand one above the other.
const maxUnits = 16

// checkCycles returns the units that stand above themselves on some day, or too deep.
func (t tree) checkCycles() (all []wrong) {
	for _, records := range t[Unit] {
		for _, r := range records {
			if r.Unit == "" {
				continue
			}
			if w, ok := t.climb(r, r.Period, []ref{{Unit, r.ID}}); !ok {
				w.at = r.key()
				all = append(all, w)
			}
		}
	}
	return all
}

// climb walks up from a unit on the days of p, and returns what is wrong with the way, whose units are path.
func (t tree) climb(r Record, p Period, path []ref) (wrong, bool) {
	if r.Unit == "" {
		return wrong{}, true
	}
	next := ref{Unit, r.Unit}
	switch {
	case slices.Contains(path, next):
		// Who only stands below a cycle is not at fault.
		return wrong{other: path, Fault: faultf("单位 %s 成了自己的上级（%s 起）", "unit %s stands above itself, from %s on", r.Unit, p.From)},
			next != path[0]
	case len(path) >= maxUnits:
		return wrong{other: path, Fault: faultf("单位 %s 之上超过 %d 级", "more than %[2]d levels stand above unit %[1]s", path[0].id, maxUnits)}, false
	}
	for _, up := range t[Unit][r.Unit] {
		both, ok := up.Meet(p)
		if !ok {
			continue
		}
		if w, ok := t.climb(up, both, append(slices.Clone(path), next)); !ok {
			return w, false
		}
	}
	return wrong{}, true
}
