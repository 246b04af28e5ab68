package rating

import "testing"

// What a review refuses does not count, what it corrected does not either, and the next answer does (article 17).
func TestWhatIsRefusedDoesNotCount(t *testing.T) {
	visit := Visit{ID: 1, Subjects: []Subject{StaffSubject}}
	press := func(seq, replaces uint64, level Level) Given {
		return Given{Device: "box-1", Epoch: 1, Seq: seq, Time: int64(seq),
			Evaluation: Evaluation{Visit: 1, Subject: StaffSubject, Level: level, Channel: Keypad, Replaces: replaces}}
	}
	byPhone := Given{Device: "box-1", Submission: "s", Time: 9,
		Evaluation: Evaluation{Visit: 1, Subject: StaffSubject, Level: 5, Channel: Phone}}
	corrected, bad := press(1, 0, 4), press(2, 1, 1)
	for name, tt := range map[string]struct {
		given []Given
		want  []Standing
	}{
		"the next answer":   {[]Given{bad, byPhone}, []Standing{NotAdopted, Counted}},
		"no next answer":    {[]Given{bad}, []Standing{NotAdopted}},
		"what it corrected": {[]Given{corrected, bad}, []Standing{Replaced, NotAdopted}},
	} {
		t.Run(name, func(t *testing.T) {
			var h History
			h.Open("box-1", visit)
			for _, g := range tt.given {
				h.Give(g)
			}
			h.Judge(bad, &Refusal{})
			check := func(want []Standing) {
				t.Helper()
				for i, d := range h.Decide() {
					if d.Standing != want[i] {
						t.Errorf("answer %d is %s, want %s", i, d.Standing, want[i])
					}
				}
			}
			check(tt.want)
			h.Judge(bad, nil)
			for _, d := range h.Decide() {
				if d.Given.Seq == bad.Seq && d.Standing != Counted {
					t.Errorf("adopted after all it is %s", d.Standing)
				}
			}
		})
	}
}
