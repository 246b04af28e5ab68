package fleet

import "errors"

// CentreName is the name by which the centre logs in at its brokers, unless the configuration has another one. Their rules let it read what
// all boxes send.
const CentreName = "centre"

// ErrReserved says that a box cannot have a name.
var ErrReserved = errors.New("这个名称是中心自己登录消息代理用的，评价器不能用，请换一个 · by this name the centre logs in at the broker, where it reads what all " +
	"boxes send; give the box another one")

// LogsInAs says by which name the centre logs in at a broker elsewhere, so that no box gets it. Call it before the fleet is used.
func (f *Fleet) LogsInAs(name string) { f.centre = name }

// reserved reports whether a device has a name of the centre's. One of before can still be replaced.
func (f *Fleet) reserved(d Device) bool {
	return d.Retired == nil && (d.ID == CentreName || f.centre != "" && string(d.ID) == f.centre)
}
