package fleet

import (
	"errors"
	"slices"
)

// ErrReserved says that a box cannot have a name.
var ErrReserved = errors.New("这个名称是中心自己登录消息代理用的，评价器不能用，请换一个 · by this name the centre logs in at the broker, where it reads what all " +
	"boxes send; give the box another one")

// LogsInAs says by which names the centre logs in at brokers, whose rules let it read what all boxes send: no box gets them. Call it before
// the fleet is used.
func (f *Fleet) LogsInAs(names ...string) { f.centre = names }

// reserved reports whether a device has a name of the centre's. One of before can still be replaced.
func (f *Fleet) reserved(d Device) bool {
	return d.Retired == nil && slices.Contains(f.centre, string(d.ID))
}
