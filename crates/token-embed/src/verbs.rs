//! The names of verbs, with the types of their requests and answers.

/// Defines the requests and the answers of verbs, by name: `(self, BY: TYPE) (BY)` is what a request is answered by.
macro_rules! verbs {
    (($me:ident $(, $by:ident: $handle:ty)?) $call:tt $($(#[$when:meta])* $name:literal $verb:ident $request:ty => $answer:ty,)+) => {
        /// The names of the verbs.
        pub const VERBS: &[&str] = &[$($(#[$when])* $name),+];

        /// The request of a verb, as read.
        #[non_exhaustive]
        pub enum Request<'a> {
            $($(#[$when])* #[doc = concat!("`", $name, "`")] $verb($request),)+
        }

        /// The answer of a verb. Serializes to its document.
        #[derive(serde::Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Answer {
            $($(#[$when])* #[doc = concat!("`", $name, "`")] $verb($answer),)+
        }

        impl<'a> Request<'a> {
            /// Reads the request of a verb from any form that serde has a deserializer for. Borrows texts from it where
            /// they stand there as such.
            ///
            /// # Errors
            /// [`Code::InvalidArgument`](crate::Code::InvalidArgument); the error shows no value of the request.
            pub fn read<D: serde::Deserializer<'a>>(verb: &str, from: D) -> Result<Self, $crate::Error> {
                match verb {
                    $($(#[$when])* $name => $crate::text::object(from).map(Self::$verb),)+
                    _ => return Err($crate::Error::argument("verb", "there is no such verb")),
                }
                .map_err(|error| $crate::json::unreadable(&error))
            }

            /// Answers the request.
            ///
            /// # Errors
            /// [`Error`](crate::Error)
            pub fn answer(&$me $(, $by: $handle)?) -> Result<Answer, $crate::Error> {
                match $me {
                    $($(#[$when])* Self::$verb(request) => Ok(Answer::$verb(request.answer $call?)),)+
                }
            }
        }

        /// Reads a request in JSON, answers it, and writes the answer. Moves neither through the enums.
        fn in_json<'a>(verb: &str, json: &'a [u8] $(, $by: $handle)?) -> Result<Vec<u8>, $crate::Error> {
            match verb {
                $($(#[$when])* $name => {
                    let read = |json: &mut serde_json::Deserializer<serde_json::de::SliceRead<'a>>| {
                        $crate::text::object(json).map_err(|error| $crate::json::unreadable(&error))
                    };
                    let request: $request = $crate::json::from_json(json, read)?;
                    $crate::json::to_json(&request.answer $call?)
                })+
                _ => Err($crate::Error::argument("verb", "there is no such verb")),
            }
        }
    };
}

pub(crate) use verbs;
