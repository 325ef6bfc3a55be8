/// A part of the running process that follows its settings without a restart: a listener, a pool, a key set.
///
/// The committer calls the phases in this order, for all services of a transaction together:
///
/// 1. ``prepare(_:beside:)`` on each; if one throws, what was prepared is retired and nothing has changed.
/// 2. ``activate(_:)`` on each; from here readers and clients see the new.
/// 3. ``verify(_:)`` on each; if one throws, `activate` is called with the instances that were live before.
/// 4. ``retire(_:)`` on whichever instances lost.
///
/// There is no undo: rolling back is the forward path with the old instance, which is still alive then.
///
/// Each phase of a service has a deadline; at it, the phase's task is cancelled and its result is not waited for any longer. Say
/// why you refuse with ``ServiceRefusal``: of any other error only the type is shown, since its text may hold a secret.
public protocol LiveService<Settings>: Sendable {
    /// What the service reads of the configuration.
    associatedtype Settings: Sendable
    /// What it runs: a bound socket, an opened pool, a key set.
    associatedtype Instance: Sendable

    /// Builds what the settings need beside what is running: binds the port, opens and tests the login, loads the keys.
    ///
    /// May fail, and must leave nothing visible when it does. An instance that comes after the deadline is
    /// retired. Reuse parts of `live` that the settings leave alone; such parts then belong to both instances, and retiring one
    /// must not close them under the other.
    func prepare(_ settings: Settings, beside live: Instance?) async throws -> Instance

    /// Makes `next` the live instance and returns the one that was.
    ///
    /// A swap: it cannot fail, waits for nothing outside the process and does no I/O. It has no deadline. It is also the way
    /// back: when the transaction is reverted, it is called with what it returned. After a first start that was reverted there
    /// is nothing to go back to; the instance is retired while the service still holds it, and what the next call returns is
    /// not used.
    func activate(_ next: Instance) async -> Instance?

    /// Looks from outside whether the instance does its work: connects to the port, runs a query.
    func verify(_ live: Instance) async throws

    /// Drains and closes an instance that is not live: one that was replaced, or prepared and not needed.
    ///
    /// Must end within a deadline of its own. Called after the transaction is over, so a slow client delays nobody. When its task is
    /// cancelled, it is to close at once: newer instances wait to drain, or the process ends. It is left behind after five seconds.
    func retire(_ instance: Instance) async

    /// What going from one to the other settings means for those who use the service, for the plan.
    func action(from old: Settings, to new: Settings) -> ServiceAction

    /// What ``verify(_:)`` will look at with these settings, in a few words for the plan: "an answer from 127.0.0.1:8080".
    func verification(of settings: Settings) -> String
}

extension LiveService {
    /// Any change swaps the instance.
    public func action(from old: Settings, to new: Settings) -> ServiceAction { .swap }

    public func verification(of settings: Settings) -> String { "its own check" }
}

/// What a plan does to one service.
public enum ServiceAction: String, Hashable, Sendable {
    /// Its settings do not change.
    case none
    /// Takes new values without replacing anything a client is connected to.
    case live
    /// Replaces the instance beside the running one, then drains the old.
    case swap
    /// Waits for the next start.
    case restart
}
