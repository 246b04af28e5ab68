-- Who wants which figures told each week or month.
CREATE TABLE figure_subscription (
  n       BIGINT PRIMARY KEY,
  account TEXT NOT NULL,
  every   TEXT NOT NULL,             -- week or month
  words   TEXT NOT NULL,             -- what the figures are, for people
  query   TEXT NOT NULL,             -- as an address has it, without days
  seen    BIGINT NOT NULL            -- the day after the last period that was looked at, 0: none was
);
CREATE UNIQUE INDEX figure_subscription_once ON figure_subscription (account, every, query);
