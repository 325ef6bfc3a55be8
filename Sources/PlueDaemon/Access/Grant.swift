import Foundation
import Synchronization

/// A right to be answered, that may end while an answer is still going on: a token that is revoked, a session that is signed out of.
///
/// Whoever holds one asks ``isGood`` before every use, or is told by ``onEnd(_:)``.
public final class Grant: Sendable {
    private struct State {
        var hasEnded = false
        var expires: Date?
        var next = 0
        var ends: [Int: @Sendable () -> Void] = [:]
    }

    private let state: Mutex<State>
    /// What it comes from, and ends with.
    private let parent: Grant?

    /// - Parameter expires: From when on it is not good any more; `nil` for never.
    init(expires: Date? = nil, from parent: Grant? = nil) {
        state = Mutex(State(expires: expires))
        self.parent = parent
    }

    /// Whether it counts now.
    public var isGood: Bool { isGood(at: Date()) }

    func isGood(at time: Date) -> Bool {
        state.withLock { !$0.hasEnded && $0.expires.map { time < $0 } ?? true } && parent?.isGood(at: time) ?? true
    }

    /// When it ends by itself, what it comes from included.
    var expires: Date? {
        let own = state.withLock(\.expires)
        guard let other = parent?.expires else { return own }
        return own.map { min($0, other) } ?? other
    }

    /// Lets it last until another time; one that has ended stays so.
    func extend(to expires: Date) { state.withLock { $0.expires = expires } }

    /// Ends it for good, and tells whoever wanted to know.
    func end() {
        let ends = state.withLock { state in
            state.hasEnded = true
            defer { state.ends = [:] }
            return state.ends.values
        }
        for end in ends { end() }
    }

    /// Calls back when it is ended, at once if it was already. That it expires is not told: it is seen at the next use.
    /// - Returns: What takes the call back.
    public func onEnd(_ end: @escaping @Sendable () -> Void) -> @Sendable () -> Void {
        let id: Int? = state.withLock { state in
            guard !state.hasEnded else { return nil }
            state.next += 1
            state.ends[state.next] = end
            return state.next
        }
        guard let id else {
            end()
            return {}
        }
        let inherited = parent?.onEnd(end)
        return { [weak self] in
            self?.state.withLock { _ = $0.ends.removeValue(forKey: id) }
            inherited?()
        }
    }
}
