import Foundation
import PlueConfig
import Synchronization

/// Who is signed in, in memory: a restart signs everybody out.
///
/// A session ends an hour after it was used last, eight hours after it began, when its owner signs out, and with whatever it was
/// opened with.
final class Sessions: Sendable {
    static let idle: TimeInterval = 3600
    static let longest: TimeInterval = 8 * 3600
    /// Together, and of one owner; one more ends the one that was used longest ago.
    private static let most = (all: 1000, own: 50)

    private struct Session {
        let owner: Requester
        let grant: Grant
        let began: Date
        var used: Date
    }

    /// By the digest of what is in the cookie.
    private let sessions = Mutex<[[UInt8]: Session]>([:])

    /// Signs somebody in.
    /// - Returns: What goes into the cookie, and who they are from now on.
    func open(for owner: Requester, at time: Date = Date()) -> (secret: String, requester: Requester) {
        let secret = RandomSecret.text(of: RandomSecret.bytes())
        let grant = Grant(expires: time.addingTimeInterval(Self.idle), from: owner.grant)
        let session = Session(owner: owner, grant: grant, began: time, used: time)
        let ended = sessions.withLock { sessions in
            var ended: [Grant] = []
            for (key, session) in sessions where !session.grant.isGood(at: time) {
                sessions[key] = nil
                ended.append(session.grant)
            }
            let own = sessions.filter { $0.value.owner.actor == owner.actor }
            for crowd in [own.count >= Self.most.own ? own : [:], sessions.count >= Self.most.all ? sessions : [:]] {
                guard let oldest = crowd.min(by: { $0.value.used < $1.value.used }) else { continue }
                sessions[oldest.key] = nil
                ended.append(oldest.value.grant)
            }
            sessions[RandomSecret.digest(of: secret)] = session
            return ended
        }
        for grant in ended { grant.end() }
        return (secret, Self.requester(of: session, at: owner.address))
    }

    /// Whose session it is, which goes on by that; `nil` when it is over.
    func requester(showing secret: some StringProtocol, from address: String, at time: Date = Date()) -> Requester? {
        let digest = RandomSecret.digest(of: secret)
        return sessions.withLock { sessions in
            guard var session = sessions[digest] else { return nil }
            guard session.grant.isGood(at: time) else {
                sessions[digest] = nil
                return nil
            }
            session.used = time
            session.grant.extend(to: min(time.addingTimeInterval(Self.idle), session.began.addingTimeInterval(Self.longest)))
            sessions[digest] = session
            return Self.requester(of: session, at: address)
        }
    }

    /// Signs out.
    func close(_ secret: some StringProtocol) {
        let session = sessions.withLock { $0.removeValue(forKey: RandomSecret.digest(of: secret)) }
        session?.grant.end()
    }

    private static func requester(of session: Session, at address: String) -> Requester {
        Requester(
            actor: session.owner.actor, role: session.owner.role, scope: session.owner.scope, method: .session, address: address,
            grant: session.grant)
    }
}

/// The cookie that a session is known by.
enum SessionCookie {
    /// With the prefix a browser takes it over an encrypted connection only, and from nobody but this host.
    static func name(isSecure: Bool) -> String { isSecure ? "__Host-plue-session" : "plue-session" }

    /// What a request has in it.
    static func secret(in header: String?, isSecure: Bool) -> Substring? {
        let name = name(isSecure: isSecure)
        for pair in (header ?? "").split(separator: ";") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0].trimmingCharacters(in: .whitespaces) == name, parts[1].utf8.count <= 100 { return parts[1] }
        }
        return nil
    }

    /// `Set-Cookie`, for a session that begins, or `nil` for one that is over.
    static func header(_ secret: String?, isSecure: Bool) -> String {
        "\(name(isSecure: isSecure))=\(secret ?? ""); Path=/; HttpOnly; SameSite=Strict\(isSecure ? "; Secure" : "")"
            + (secret == nil ? "; Max-Age=0" : "; Max-Age=\(Int(Sessions.longest))")
    }
}
