/* SL1, exactly one commander: {holder, epoch} at the drone, the epoch's low byte in every uplink frame.
 *
 * Modelled: two commanders and a supervisor; first grant, HANDOVER / ACCEPT, CLAIM / challenge /
 *   CONFIRM, PREEMPT, commands; the drone's disk, power cuts and restarts; what each station believes.
 *   Time and epochs are kept relative (ages that saturate, "has authority changed since"), so the
 *   search covers runs of any length and any number of changes.
 * Attacker: holds back up to HELD uplink frames of any kind and releases each once, late and in any
 *   order; keeps announcements from any station for up to KNOW ticks; cuts the drone's power.
 *   An uplink frame is accepted up to MAX_AGE ticks after it was sealed (that bound is freshness.pml).
 * Bounds: HELD frames held back at once; MOD stands for 256, one tick for the least time between two
 *   changes of authority (CHANGE_GAP). What carries over to 256: it is enough when fewer than MOD
 *   changes fit into KNOW + MAX_AGE.
 * Property: (1) one station only is obeyed in each period of authority; (2) what is obeyed was sealed in
 *   the period it is obeyed in, by a station that knew that period; (3) the same for each message that
 *   changes authority, and an ACCEPT or CONFIRM answers the offer or challenge that stands; (4) a claim
 *   succeeds only against a holder not freshly heard for LEASE; (5) what took effect survives power cuts.
 * Rules; each of these switched off is a negative control that must fail:
 *   FENCE=1         a command's epoch byte must be the current one
 *   TRANSITION_FENCE=1  so must that of a message that changes authority
 *   FRESH=1         a frame older than MAX_AGE is refused
 *   CHANGE_GAP=1    at most one change of authority a tick
 *   MOD=5           enough epoch values for that (MOD=4 is the control)
 *   PERSIST=1       written before it takes effect
 *   RECHECK=1       CONFIRM looks again whether the holder is lost
 *   LEASE_AT_BOOT=1 a restart begins a new lease for the holder it restored
 *   BOUND=1         ACCEPT and CONFIRM carry the number of the offer or challenge they answer
 */
#ifndef FENCE
#define FENCE 1
#endif
#ifndef TRANSITION_FENCE
#define TRANSITION_FENCE 1
#endif
#ifndef FRESH
#define FRESH 1
#endif
#ifndef CHANGE_GAP
#define CHANGE_GAP 1
#endif
#ifndef MOD
#define MOD 5
#endif
#ifndef PERSIST
#define PERSIST 1
#endif
#ifndef RECHECK
#define RECHECK 1
#endif
#ifndef LEASE_AT_BOOT
#define LEASE_AT_BOOT 1
#endif
#ifndef BOUND
#define BOUND 1
#endif
#define MAX_AGE 2
#define KNOW 1
#define LEASE 3
#ifdef BIG                              /* a commander and a supervisor, two frames held back */
#define HELD 2
#define STATIONS 2
#define SUPERVISOR 1
#define EACH_HELD(X) X(0) X(1)
#define EACH_STATION(X) X(0) X(1)
#define EACH_HOLD(f) HOLD_ALL(f, 0) HOLD_ALL(f, 1)
#else                                   /* two commanders and a supervisor, one frame held back */
#define HELD 1
#define STATIONS 3
#define SUPERVISOR 2
#define EACH_HELD(X) X(0)
#define EACH_STATION(X) X(0) X(1) X(2)
#define EACH_HOLD(f) HOLD_ALL(f, 0) HOLD_ALL(f, 1) HOLD_ALL(f, 2)
#endif
#define NOBODY 3

/* kinds of uplink frame; HANDOVER names the station it offers to */
#define EMPTY 0
#define COMMAND 1
#define ACCEPT 2
#define CLAIM 3
#define CONFIRM 4
#define PREEMPT 5
#define HANDOVER 6      /* HANDOVER + to */

byte holder = NOBODY;                   /* the drone's, in effect; its epoch is the one others are counted from */
byte disk_holder = NOBODY, disk_behind;
bool changed_this_tick;
byte silence, true_silence;             /* ticks since a fresh frame of the holder; the true one knows no restart */
byte offer_to = NOBODY;
byte challenge_to = NOBODY;
byte obeyed = NOBODY;                   /* who was obeyed in this period */

byte behind[STATIONS];                  /* how far the epoch a station believes is behind, modulo MOD */
byte know_age[STATIONS];                /* ticks since the drone stated it */
bool knows[STATIONS];                   /* it is truly the current one, not MOD changes old */

byte f_kind[HELD], f_from[HELD], f_behind[HELD], f_age[HELD];
bool f_true[HELD];                      /* sealed in this period by a station that knew it */
bool f_answers[HELD];                   /* the offer or challenge it answers still stands */
hidden byte i;
hidden byte was_fresh;

inline new_offer(to) {
  offer_to = to;
  i = 0; do :: i < HELD -> if :: f_kind[i] == ACCEPT -> f_answers[i] = false :: else fi; i++ :: else -> break od
}
inline new_challenge(to) {
  challenge_to = to;
  i = 0; do :: i < HELD -> if :: f_kind[i] == CONFIRM -> f_answers[i] = false :: else fi; i++ :: else -> break od
}
inline write() { disk_holder = holder; disk_behind = 0 }
inline change(to) {
  holder = to; disk_behind = (disk_behind + 1) % MOD; changed_this_tick = true; silence = 0; true_silence = 0; obeyed = NOBODY;
  new_offer(NOBODY); new_challenge(NOBODY);
  i = 0; do :: i < HELD -> 
     if :: f_kind[i] != EMPTY -> f_true[i] = false; f_behind[i] = (f_behind[i] + 1) % MOD :: else fi; i++ :: else -> break od;
  i = 0; do :: i < STATIONS ->
     if :: know_age[i] <= KNOW -> knows[i] = false; behind[i] = (behind[i] + 1) % MOD :: else fi; i++ :: else -> break od;
  if :: PERSIST -> write() :: else fi
}

/* The drone judges an authenticated uplink frame. */
inline judge(kind, from, late, age, is_true, answers) {
  was_fresh = (age <= MAX_AGE || !FRESH);
  if
  :: !was_fresh
  :: was_fresh && holder == NOBODY ->    /* the first commander heard is granted command in the epoch that is */
     holder = from; silence = 0; true_silence = 0; changed_this_tick = true;
     if :: PERSIST -> write() :: else fi
  :: was_fresh && holder != NOBODY ->
     if :: from == holder -> silence = 0; true_silence = 0 :: else fi;
     if
     :: kind == COMMAND && from == holder && (late == 0 || !FENCE) ->
        assert(obeyed == NOBODY || obeyed == from);                                             /* 1 */
        assert(is_true);                                                                 /* 2 */
        obeyed = from
     :: kind >= HANDOVER && from == holder && (late == 0 || !TRANSITION_FENCE) ->
        assert(is_true);                                                                 /* 3 */
        new_offer(kind - HANDOVER)
     :: kind == ACCEPT && from == offer_to && (late == 0 || !TRANSITION_FENCE) && (answers || !BOUND) && !(changed_this_tick && CHANGE_GAP) ->
        assert(is_true && answers);                                                      /* 3 */
        change(from)
     :: kind == CLAIM && from != holder && (late == 0 || !TRANSITION_FENCE) && silence >= LEASE ->
        assert(is_true);                                                                 /* 3 */
        new_challenge(from)
     :: kind == CONFIRM && from == challenge_to && (late == 0 || !TRANSITION_FENCE) && (answers || !BOUND) && (silence >= LEASE || !RECHECK) && !(changed_this_tick && CHANGE_GAP) ->
        assert(is_true && answers);                                                      /* 3 */
        assert(true_silence >= LEASE);                                                          /* 4 */
        change(from)
     :: kind == PREEMPT && from == SUPERVISOR && from != holder && (late == 0 || !TRANSITION_FENCE) && !(changed_this_tick && CHANGE_GAP) ->
        assert(is_true);                                                                 /* 3 */
        change(from)
     :: else
     fi
  fi
}

#define CAN_SEND(s) know_age[s] <= KNOW
/* A frame that is not held back arrives as it is sealed. */
#define NOW(s, kind) :: d_step { CAN_SEND(s) -> judge(kind, s, behind[s], 0, knows[s], true) }
#define NOW_ALL(s) NOW(s, COMMAND) NOW(s, ACCEPT) NOW(s, CLAIM) NOW(s, CONFIRM) NOW(s, PREEMPT) \
  NOW(s, HANDOVER) NOW(s, HANDOVER + 1) NOW(s, HANDOVER + 2)
#define HOLD(f, s, kind) :: d_step { CAN_SEND(s) && f_kind[f] == EMPTY -> \
  f_kind[f] = kind; f_from[f] = s; f_behind[f] = behind[s]; f_age[f] = 0; f_true[f] = knows[s]; \
  f_answers[f] = ((kind == ACCEPT && offer_to == s) || (kind == CONFIRM && challenge_to == s)) }
#define HOLD_ALL(f, s) HOLD(f, s, COMMAND) HOLD(f, s, ACCEPT) HOLD(f, s, CLAIM) HOLD(f, s, CONFIRM) HOLD(f, s, PREEMPT) \
  HOLD(f, s, HANDOVER) HOLD(f, s, HANDOVER + 1) HOLD(f, s, HANDOVER + 2)
#define FORGET(f) f_kind[f] = EMPTY; f_from[f] = 0; f_behind[f] = 0; f_age[f] = 0; f_true[f] = false; f_answers[f] = false
#define RELEASE(f) :: d_step { f_kind[f] != EMPTY -> \
  judge(f_kind[f], f_from[f], f_behind[f], f_age[f], f_true[f], f_answers[f]); FORGET(f) }
#define DROP(f) :: d_step { f_kind[f] != EMPTY -> FORGET(f) }
#define LEARN(s) :: d_step { !knows[s] || know_age[s] > 0 -> behind[s] = 0; know_age[s] = 0; knows[s] = true }

active proctype world() {
  d_step { i = 0; do :: i < STATIONS -> knows[i] = true; i++ :: else -> break od }
  do
  EACH_STATION(NOW_ALL)
  EACH_HELD(EACH_HOLD)
  EACH_HELD(RELEASE)
  EACH_HELD(DROP)
  EACH_STATION(LEARN)
  /* a tick */
  :: d_step {
       changed_this_tick = false;
       if :: silence < LEASE -> silence++ :: else fi;
       if :: true_silence < LEASE -> true_silence++ :: else fi;
       i = 0; do :: i < STATIONS -> 
         if :: know_age[i] <= KNOW -> know_age[i]++ :: else fi;
         if :: know_age[i] > KNOW -> behind[i] = 0; knows[i] = false :: else fi; i++ :: else -> break od;
       i = 0; do :: i < HELD -> 
         if :: f_kind[i] != EMPTY && f_age[i] <= MAX_AGE -> f_age[i]++ :: else fi;
         if :: f_age[i] > MAX_AGE && FRESH -> FORGET(i) :: else fi; i++ :: else -> break od }
  :: d_step { !PERSIST && (disk_holder != holder || disk_behind != 0) -> write() }
  /* A power cut: the record is read again, offers and challenges are forgotten. */
  :: d_step { true ->
       assert(disk_holder == holder && disk_behind == 0);                                    /* 5 */
       new_offer(NOBODY); new_challenge(NOBODY);
       if :: LEASE_AT_BOOT -> silence = 0 :: else -> silence = LEASE fi }
  od
}
