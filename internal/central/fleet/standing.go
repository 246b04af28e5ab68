package fleet

import (
	"slices"
	"time"

	"haochaping/internal/condition"
)

// Standing is how a box is, in one word.
type Standing string

// The standings, the gravest first.
const (
	Offline Standing = "offline" // it does not say how it is
	Ill     Standing = "ill"     // it needs a hand
	Waiting Standing = "waiting" // it is well, and its records have waited for long
	Never   Standing = "never"   // it was never heard
	Fine    Standing = "well"
)

// Standings returns all standings, the gravest first.
func Standings() []Standing { return []Standing{Offline, Ill, Waiting, Never, Fine} }

// Sick reports whether somebody should go there.
func (s Standing) Sick() bool { return s == Offline || s == Ill }

const (
	// silence is how long a box may say nothing. It reports each minute.
	silence = 5 * time.Minute
	// lateSec is how long a record may wait on a box that is online, in seconds.
	lateSec = 300
)

// Heard returns when the box said something last, zero if it never did. The broker's word that it has gone is not its own.
func (s State) Heard() time.Time {
	heard := s.HealthAt
	if s.Presence != nil && s.Presence.Online && s.PresenceAt.After(heard) {
		heard = s.PresenceAt
	}
	if s.AckedAt.After(heard) {
		heard = s.AckedAt
	}
	return heard
}

// refused reports whether the box's last batches were not believed.
func (s State) refused() bool { return s.Refused > 0 && s.RefusedAt.After(s.PresenceAt) }

// online reports whether the box is connected, and has said so lately.
func (s State) online(now time.Time) bool {
	return s.Presence != nil && s.Presence.Online && now.Sub(s.Heard()) < silence
}

// Standing returns how the box is at a time.
func (s State) Standing(now time.Time) Standing {
	switch {
	case s.refused():
		return Ill
	case s.Presence == nil && s.Health == nil:
		return Never
	case !s.online(now):
		return Offline
	case slices.ContainsFunc(s.troubles(), func(k condition.Kind) bool { return k.Level == condition.Ill }):
		return Ill
	case s.Late():
		return Waiting
	}
	return Fine
}

// Late reports whether records have waited on the box for so long that somebody should look.
func (s State) Late() bool {
	return s.Health != nil && s.Health.Pending > 0 && (s.Health.OldestSec > lateSec || s.Health.OldestSec < 0)
}

// Troubles returns what is not well with the box at a time, with words and advice, the gravest first. What a box that is offline has said
// before comes after that it is.
func (s State) Troubles(now time.Time) []condition.Kind {
	var all []condition.Kind
	if s.refused() {
		all = append(all, refusedKind())
	}
	switch s.Standing(now) {
	case Never:
		return append(all, neverKind())
	case Offline:
		all = append(all, offlineKind())
	}
	told := s.troubles()
	slices.SortStableFunc(told, func(a, b condition.Kind) int { return grave(a) - grave(b) })
	return append(all, told...)
}

func grave(k condition.Kind) int {
	if k.Level == condition.Ill {
		return 0
	}
	return 1
}

// troubles returns what the box itself says. Boxes of the first version say less by code.
func (s State) troubles() (all []condition.Kind) {
	h := s.Health
	if h == nil {
		return nil
	}
	add := func(c condition.Code, part string) {
		same := func(k condition.Kind) bool { return k.Code == c || part != "" && k.Part() == part }
		if !slices.ContainsFunc(all, same) {
			k, _ := condition.Find(c)
			all = append(all, k)
		}
	}
	for _, code := range h.Troubles {
		add(condition.Code(code), "")
	}
	if !h.KeysOK {
		add("keys.lost", "keys")
	}
	if !h.StoreOK {
		add("store.write", "store")
	}
	if h.Stuck != nil {
		add("link.too_large", "")
	}
	return all
}

// What the centre says of a box that cannot say it itself.

func offlineKind() condition.Kind {
	return condition.Kind{Code: "centre.offline", Level: condition.Ill,
		What: condition.Text{ZH: "评价器离线", EN: "the box is offline"},
		Means: condition.Text{ZH: "没有通电或没有联网；通电时按键照常评价，评价保存在本机", EN: "it has no power or no network; with power it goes on taking ratings and " +
			"keeps them"},
		Do: condition.Text{ZH: "看屏幕是否亮着：不亮，检查电源；亮着，检查网线和交换机。同一大厅都离线时，联系网络管理员",
			EN: "look at its screen: dark, check the power; lit, check the network cable and the switch. When all of a hall are offline, call the " +
				"network's administrator"}}
}

func neverKind() condition.Kind {
	return condition.Kind{Code: "centre.never", Level: condition.Note,
		What:  condition.Text{ZH: "已登记，从未连接", EN: "enrolled and never heard"},
		Means: condition.Text{ZH: "可能还没有安装", EN: "it may not be installed yet"},
		Do: condition.Text{ZH: "安装并接通电源和网络；已安装的，在评价器上运行 ratingctl doctor",
			EN: "install it, with power and network; if it is, run ratingctl doctor on it"}}
}

func refusedKind() condition.Kind {
	return condition.Kind{Code: "centre.refused", Level: condition.Ill,
		What:  condition.Text{ZH: "评价器的签名与登记的不符", EN: "the box's signature is not that of the enrolled key"},
		Means: condition.Text{ZH: "它送来的评价不被接收，保存在本机", EN: "what it sends is not taken, and stays with it"},
		Do: condition.Text{ZH: "硬件换过的，请设备运维核对指纹后重新登记（centrald device add -replace-key）；没有换过的，查明是谁在用这台评价器的名称",
			EN: "if its hardware was replaced, enrol the new key (centrald device add -replace-key); if not, find out who uses its name"}}
}
